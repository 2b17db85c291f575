import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { pino } from 'pino'
import t from 'tap'
import { parse } from 'yaml'
import { messageTypes } from '../schemas/content.ts'
import { messageExamples } from '../schemas/examples.ts'
import { errorCodes } from '../schemas/problem.ts'
import { adapters } from '../src/adapters/index.ts'
import { buildApp } from '../src/app.ts'
import { makeOpenApi } from '../src/openapi.ts'
import { magicRecipients, scenarios } from '../src/sandbox/index.ts'
import { document as openapi, written as raw, documentText as text } from './document.ts'
import { startBoard } from './helper.ts'

interface Operation {
  operationId: string
  parameters?: { name: string; in: string; examples?: Record<string, { value: unknown }> }[]
  summary: string
  responses: Record<string, { description: string; content?: Record<string, { schema: object; example?: unknown }> }>
  requestBody?: { content: Record<string, { schema: object; examples?: Record<string, { value: unknown }> }> }
}
interface Document {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> } & Record<string, Record<string, object>>
}
interface Schema {
  title?: string
  examples?: unknown[]
  properties?: Record<string, object>
}
const written = raw as Document
const document = openapi as Document
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation }))
)

t.test('openapi.yaml is what the routes make', async t => {
  const made = await makeOpenApi()
  t.ok(made === text, 'run `npm run openapi` and commit openapi.yaml')
})

/** Paths beside the API: the document itself, the pages, and the answers to wrong methods. */
const hidden = ['/', '/docs', '/docs/*', '/errors', '/openapi.json', '/openapi.yaml', '/sandbox']

t.test('every route of the app is in the document, and the hidden ones are known by name', async t => {
  const heard: { url: string; method: string; hide: boolean }[] = []
  const nothing = new Proxy({}, { get: () => undefined }) as never
  const parts = Object.fromEntries(
    ['keyring', 'channels', 'messages', 'media', 'idempotency', 'metrics', 'notReady'].map(part => [part, nothing])
  )
  const app = await buildApp(parts as never, {
    log: pino({ level: 'silent' }),
    prepare: async each => {
      each.addHook('onRoute', ({ url, method, schema }) => {
        const hide = (schema as { hide?: boolean } | undefined)?.hide === true
        for (const one of [method].flat()) heard.push({ url, method: one.toLowerCase(), hide })
      })
    }
  })
  t.teardown(() => app.close())
  const path = (url: string) => url.replace(/:(\w+)/g, '{$1}').replace('/native/*', '/native/{path}')
  const shown = heard
    .filter(({ method, hide }) => !hide && method !== 'head')
    .map(each => `${each.method} ${path(each.url)}`)
  t.strictSame(shown.sort(), operations.map(each => `${each.method} ${each.path}`).sort())
  const beside = heard.filter(({ url, hide }) => hide && !document.paths[path(url)]).map(({ url }) => url)
  t.strictSame([...new Set(beside)].sort(), hidden)
  const wrongMethods = heard.filter(({ url, method, hide }) => hide && document.paths[path(url)]?.[method])
  t.strictSame(wrongMethods, [], 'and nothing documented is hidden')
})

const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { person: true } })
;(formats as unknown as (ajv: Ajv2020) => void)(ajv)
ajv.addSchema({ $id: 'document', components: document.components })
const compiled = new Map<string, ReturnType<typeof ajv.compile>>()
/** Hundreds of answers have one schema: each is compiled once. */
const within = (schema: object) => {
  const words = JSON.stringify(schema).replaceAll('"#/components', '"document#/components')
  const check = compiled.get(words) ?? ajv.compile(JSON.parse(words))
  compiled.set(words, check)
  return check
}

t.test('every example fits its own schema, and every message example is taken by the sandbox', async t => {
  const body = operations.find(each => each.operationId === 'sendMessage')!.requestBody!.content['application/json']!
  const check = within(body.schema)
  t.strictSame(Object.keys(body.examples!).slice(0, messageTypes.length), [...messageTypes], 'one a type')
  for (const [name, { value }] of Object.entries(body.examples!)) {
    t.ok(check(value), `${name}: ${ajv.errorsText(check.errors)}`)
    const { type, channel } = value as { type: 'text'; channel: string }
    t.strictSame(value, { ...messageExamples[type], channel })
  }
  const channels = Object.values(body.examples!).map(({ value }) => (value as { channel: string }).channel)
  const demos = [...adapters.values()].flatMap(({ demo }) => demo?.id ?? [])
  t.strictSame([...new Set(channels)].sort(), demos.sort(), 'for the channels of all providers')
  t.notOk(check({ ...messageExamples.text, refrence: 'x' }), 'POSITIVE CONTROL: a misspelt field does not fit')
  t.notOk(check({ ...messageExamples.text, type: 'image' }), 'POSITIVE CONTROL: another type does not fit')
  for (const [name, { examples = [] }] of Object.entries(document.components.schemas)) {
    const fits = within({ $ref: `#/components/schemas/${name}` })
    for (const example of examples) t.ok(fits(example), `${name}: ${ajv.errorsText(fits.errors)}`)
  }
  for (const { operationId, responses } of operations)
    for (const [status, { content }] of Object.entries(responses))
      for (const { schema, example } of Object.values(content ?? {})) {
        if (example === undefined) continue
        const fits = within(schema)
        t.ok(fits(example), `${operationId} ${status}: ${ajv.errorsText(fits.errors)}`)
        t.equal((example as { status: number }).status, Number(status))
      }
  const board = await startBoard(t)
  for (const type of messageTypes)
    t.equal(
      (await board.call('POST', '/messages', { body: { ...messageExamples[type], channel: 'cloud' } })).status,
      201,
      type
    )
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('every operation says what it needs to say', async t => {
  const ids = operations.map(each => each.operationId)
  t.equal(new Set(ids).size, ids.length)
  for (const { operationId, summary, responses } of operations) {
    t.ok(summary, operationId)
    t.ok(
      responses[500] && Object.keys(responses).some(status => status.startsWith('2')),
      `${operationId}: success and failure`
    )
    for (const [status, { description, content }] of Object.entries(responses)) {
      t.ok(description, `${operationId} ${status}`)
      if (Number(status) >= 400 && operationId !== 'getReadiness')
        t.ok(content?.['application/problem+json'], `${operationId} ${status} is a problem`)
    }
  }
})

t.test('the document is served byte for byte, and under PUBLIC_URL it names that server', async t => {
  const board = await startBoard(t)
  const meant = parse(text)
  const yaml = await board.call('GET', '/openapi.yaml', { key: '' })
  t.ok(yaml.text === text, 'byte for byte')
  t.match(yaml.headers['content-type'], /^application\/yaml/)
  t.strictSame((await board.call('GET', '/openapi.json', { key: '' })).body, meant)
  const url = 'https://whatsapp.example.com/base'
  const outside = await startBoard(t, { env: { PUBLIC_URL: `${url}/` } })
  const other = parse((await outside.call('GET', '/openapi.yaml')).text) as typeof document & { servers: unknown }
  t.strictSame(other.servers, [{ url }])
  const { servers } = meant
  t.strictSame({ ...other, servers }, meant, 'and nothing else differs')
  t.match(servers[0].url, /^https?:/, 'an import by Postman takes the first, and needs a whole address')
  t.equal((await outside.call('GET', '/nowhere')).body.type, `${url}/errors#not_found`)
})

t.test('every error code has its section on the page that problems link to', async t => {
  const board = await startBoard(t)
  const page = await board.call('GET', '/errors', { key: '' })
  t.match(page.headers['content-type'], /^text\/html/)
  t.match(page.headers['content-security-policy'], /default-src 'none'/)
  for (const code of errorCodes) t.equal(page.text.split(`id="${code}"`).length, 2, code)
  const { type } = (await board.call('GET', '/nowhere')).body
  const [path, id] = type.split('#')
  t.equal((await board.call('GET', path)).status, 200)
  t.ok(page.text.includes(`<section id="${id}"`), 'the link leads there')
})

t.test('what many operations share is written once, and the whole is small', t => {
  t.ok(Buffer.byteLength(text) <= 320 * 1024, `${Buffer.byteLength(text)} bytes`)
  const inline = Object.values(written.paths)
    .flatMap(Object.values)
    .flatMap(({ operationId, responses }: Operation) =>
      Object.entries(responses)
        .filter(([, { content }]) => content?.['application/problem+json'])
        .map(([status]) => `${operationId} ${status}`)
    )
  t.strictSame(inline, [], 'every error answer is pointed at')
  const { schemas: _, securitySchemes: __, ...parts } = written.components
  for (const [kind, part] of Object.entries(parts)) {
    const each = Object.values(part).map(one => JSON.stringify(one))
    const names = Object.keys(part)
    const same = each.flatMap((one, i) => (each.indexOf(one) === i ? [] : [`${kind} ${names[i]}`]))
    t.strictSame(same, [], `${kind}: none is there twice`)
    const unused = names.filter(name => !text.includes(`"#/components/${kind}/${name}"`))
    t.strictSame(unused, [], `${kind}: none is there for nothing`)
  }
  const headers = operations.flatMap(({ parameters = [] }) => parameters.filter(each => each.in === 'header'))
  for (const header of headers.filter(({ name }) => /^(idempotency-key|prefer)$/i.test(name))) {
    const [first, ...others] = Object.values(header.examples ?? {})
    t.equal(first?.value, '', `${header.name}: a page fills in none`)
    t.ok(others.length > 0 && others.every(({ value }) => value !== ''), `${header.name} has examples`)
  }
  t.end()
})

t.test('every schema and every choice has a title', t => {
  const nameless: string[] = []
  const walk = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return
    for (const word of ['anyOf', 'oneOf'])
      for (const [i, each] of ((node as Record<string, Schema[]>)[word] ?? []).entries()) {
        const { type } = each as { type?: string }
        const plain = type !== undefined && type !== 'object' && type !== 'array'
        if (!('$ref' in each) && each.title === undefined && !plain) nameless.push(`${path}/${word}/${i}`)
      }
    for (const [name, inner] of Object.entries(node)) walk(inner, `${path}/${name}`)
  }
  for (const [name, schema] of Object.entries(written.components.schemas)) {
    if (schema.title === undefined) nameless.push(name)
    walk(schema, name)
  }
  t.strictSame(nameless, [])
  t.equal(written.components.schemas.SendText!.title, 'Text message')
  t.end()
})

t.test('a message is one of its types, and nothing that the document does not have', t => {
  const fits = within({ $ref: '#/components/schemas/Message' })
  const message = {
    ...{ id: 'msg_1', channel: 'c', provider: 'p', mode: 'live', direction: 'outbound', to: '1', status: 'sent' },
    ...{ final: false, providerMessageId: null, reference: null, metadata: null, warnings: [], attempts: 1 },
    ...{ createdAt: '2026-11-20T09:30:00.000Z', type: 'text', text: { body: 'x' } }
  }
  t.ok(fits(message), ajv.errorsText(fits.errors))
  t.ok(fits({ ...message, type: 'event' }), 'what happened in a conversation')
  t.ok(fits({ ...message, type: 'reply', reply: { kind: 'button', id: '1' } }))
  for (const wrong of [{ type: 'fax' }, { image: { link: 'x' } }, { colour: 'red' }, { id: undefined }])
    t.notOk(fits(JSON.parse(JSON.stringify({ ...message, ...wrong }))), `CONTROL: ${JSON.stringify(wrong)}`)
  t.end()
})

t.test('the recipients of the sandbox are a page, and the description leads to it', async t => {
  const board = await startBoard(t)
  const page = await board.call('GET', '/sandbox', { key: '' })
  t.match(page.headers['content-type'], /^text\/html/)
  for (const { number, name } of [...magicRecipients, ...scenarios]) {
    t.ok(page.text.includes(`<code>${number}</code>`), name)
    t.equal(page.text.split(`id="${name}"`).length, 2, name)
  }
  t.match(text, /\(\/sandbox\)/)
})
