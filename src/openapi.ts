import { readFileSync, writeFileSync } from 'node:fs'
import swagger from '@fastify/swagger'
import { pino } from 'pino'
import { stringify } from 'yaml'
import { messageTypes } from '../schemas/content.ts'
import { messageExamples } from '../schemas/examples.ts'
import type { ErrorCode } from '../schemas/problem.ts'
import { adapters } from './adapters/index.ts'
import { buildApp } from './app.ts'
import { errorTable, ServiceError, toProblem } from './errors.ts'
import type { AppParts } from './http/fastify.ts'

// Makes openapi.yaml from the routes and their schemas: `npm run openapi`. The tests compare it with the file.

const description = `One API for WhatsApp, whichever provider is behind a channel.

**Try it.** Press *Authorize*, paste a key, and send the example of *Send a message*. The test key that is printed at the start does for all but keys, the audit trail and changes of channels, which take the admin key. In sandbox mode (no account configured) nobody receives anything, whichever key is used, and some recipients force an outcome: \`15550100001\` is not on WhatsApp, \`15550100002\` has not written for 24 hours, \`15550100007\` takes 3 seconds, \`15550100008\` never answers, \`15550100023\` is throttled once. docs/sandbox.md lists them all.

**What an answer means.** \`201\`: the provider accepted the message. \`202\`: it is durable here and not settled; \`status: unknown\` means that it left and nobody can say whether it arrived, and it is never sent again by itself. Every error is a problem (RFC 9457) whose \`outcome\` says whether anything can have reached the recipient. [All codes](/errors).

**Never twice.** Send an \`Idempotency-Key\` with every POST that matters: the same key and body again give the first answer, byte for byte.`

type Doc = Record<string, unknown> & {
  components: { schemas: Record<string, Record<string, unknown>> }
  paths: Record<string, Record<string, Operation>>
}
interface Operation {
  operationId?: string
  parameters?: { name: string; in: string; required?: boolean; description?: string; example?: unknown }[]
  responses: Record<string, { content?: Record<string, { schema?: unknown; example?: unknown }> }>
  security?: unknown[]
  requestBody?: { required?: boolean; content: Record<string, { schema?: unknown; examples?: unknown }> }
}

const uploadBody = {
  required: true,
  content: {
    'multipart/form-data': {
      schema: {
        type: 'object',
        required: ['file'],
        additionalProperties: false,
        properties: {
          channel: {
            type: 'string',
            description: 'Which channel it is for; stands before the file.',
            examples: ['demo-cloud']
          },
          file: { type: 'string', format: 'binary', description: 'At most 100 MB; less for most kinds.' }
        }
      }
    }
  }
}

/** The other form of a broadcast's body: the same members as text, and a table in place of the recipients. */
const broadcastForm = {
  schema: {
    type: 'object',
    required: ['name', 'template', 'file'],
    additionalProperties: false,
    properties: {
      channel: { type: 'string', examples: ['demo-cloud'] },
      name: { type: 'string', examples: ['Orders of May'] },
      template: { type: 'string', description: 'As JSON.', examples: ['{"name":"order_update","language":"en_US"}'] },
      startAt: { type: 'string', format: 'date-time' },
      ratePerSecond: { type: 'integer', minimum: 1, maximum: 1000 },
      file: { type: 'string', format: 'binary', description: 'CSV, at most 32 MiB and 100,000 rows; the last part.' }
    }
  }
}

const tableBody = {
  required: true,
  content: {
    'text/csv': {
      schema: { type: 'string', examples: ['phone,name,city\r\n14155551234,Ada Lovelace,London\r\n'] }
    }
  }
}

/** A problem as it comes with a status; where several codes share one, the first of the table. */
function problemExample(status: number, address: string, isWrite: boolean): unknown {
  const [code, row] = Object.entries(errorTable).find(([, each]) => each.status === status) as [
    ErrorCode,
    { when: string }
  ]
  return toProblem(new ServiceError(code, row.when), {
    path: address,
    requestId: 'req_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3',
    isWrite,
    typeBase: ''
  })
}

const nativeBody = { content: { '*/*': { schema: {} } } }

/** The rest of a path has no name in a route, and needs one in the document. */
function nameRest({ paths }: Doc): void {
  for (const [path, operations] of Object.entries(paths)) {
    if (!path.endsWith('/{*}')) continue
    delete paths[path]
    paths[path.replace('{*}', '{path}')] = operations
    for (const [method, operation] of Object.entries(operations)) {
      for (const parameter of operation.parameters ?? []) {
        if (parameter.name !== '*') continue
        parameter.name = 'path'
        if (method === 'get') parameter.example = 'v24.0/106540352242922'
      }
      if (method !== 'get') operation.requestBody = nativeBody
      // The provider's own answers have these statuses too, and any type.
      for (const response of Object.values(operation.responses))
        response.content = { ...response.content, ...nativeBody.content }
    }
  }
}

/** Swagger UI fills examples in: a list would come narrowed to nothing by all of its filters at once. */
function emptyFilters({ operationId = '', parameters = [] }: Operation): void {
  if (!operationId.startsWith('list')) return
  for (const parameter of parameters) {
    const needed = parameter.name === 'channel' && operationId !== 'listMessages'
    if (parameter.in !== 'query' || needed || parameter.example === undefined) continue
    parameter.description = `${parameter.description ?? ''} For example \`${parameter.example}\`.`.trim()
    delete parameter.example
  }
}

/** What the registry of adapters knows: which providers there are, and what each of them takes. */
function fillIn(node: unknown): void {
  if (typeof node !== 'object' || node === null) return
  const schema = node as Record<string, unknown>
  if (schema.format === 'provider') {
    delete schema.format
    schema.enum = [...adapters.keys()]
  }
  if (schema.providerSettings === true) {
    delete schema.providerSettings
    const each = [...adapters.values()].map(
      ({ provider, settings }) => `${provider}: ${Object.keys(settings.properties ?? {}).join(', ')}`
    )
    schema.description = `${schema.description} ${each.join('. ')}.`
  }
  if (schema.providerOptions === true) {
    const { description } = schema
    for (const key of Object.keys(schema)) delete schema[key]
    const own = [...adapters.values()].flatMap(({ provider, options }) => (options ? [[provider, options]] : []))
    const properties = JSON.parse(JSON.stringify(Object.fromEntries(own)))
    Object.assign(schema, { type: 'object', description, additionalProperties: false, properties })
  }
  for (const inner of Object.values(schema)) fillIn(inner)
}

/** What a schema-driven generator cannot know: examples by name, the discriminator's mapping, the upload's form. */
function complete(document: Doc): Doc {
  fillIn(document)
  const send = document.components.schemas.SendMessage!
  const name = (type: string) => `#/components/schemas/Send${type[0]!.toUpperCase()}${type.slice(1)}`
  send.discriminator = {
    propertyName: 'type',
    mapping: Object.fromEntries(messageTypes.map(type => [type, name(type)]))
  }
  nameRest(document)
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const example = (of: string) => operation.parameters?.find(each => each.name === of)?.example ?? 'x'
      const address = path.replace(/\{(\w+)\}/g, (_, of) => encodeURIComponent(String(example(of))))
      emptyFilters(operation)
      const json = operation.requestBody?.content['application/json']
      if (['sendMessage', 'validateMessage'].includes(operation.operationId ?? '') && json) {
        json.examples = Object.fromEntries(
          messageTypes.map(type => [type, { summary: `A ${type} message`, value: messageExamples[type] }])
        )
      }
      for (const [status, { content }] of Object.entries(operation.responses)) {
        const problem = content?.['application/problem+json']
        if (problem) problem.example = problemExample(Number(status), address, method !== 'get')
      }
      if (operation.operationId === 'markMessageRead' && operation.requestBody) operation.requestBody.required = false
      if (operation.operationId === 'uploadMedia') operation.requestBody = uploadBody
      if (operation.operationId === 'createBroadcast' && operation.requestBody)
        operation.requestBody.content['multipart/form-data'] = broadcastForm
      if (operation.operationId === 'importContacts') operation.requestBody = tableBody
    }
  }
  return document
}

/** The OpenAPI document as YAML. Needs no store and no port: routes only describe themselves. */
export async function makeOpenApi(): Promise<string> {
  const nothing = new Proxy({}, { get: () => undefined }) as never
  const parts: AppParts = {
    keyring: nothing,
    channels: nothing,
    channelHealth: nothing,
    connections: nothing,
    native: nothing,
    dryRun: nothing,
    messages: nothing,
    unknowns: nothing,
    broadcasts: nothing,
    conversations: nothing,
    templates: nothing,
    numbers: nothing,
    media: nothing,
    contacts: nothing,
    erase: nothing,
    history: nothing,
    contactTable: nothing,
    idempotency: nothing,
    audit: nothing,
    hold: nothing,
    webhookRegistrations: nothing,
    door: nothing,
    replayWebhooks: nothing,
    metrics: nothing,
    notReady: async () => null,
    degraded: async () => null,
    serverMode: 'sandbox'
  }
  const version = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
    .version
  const app = await buildApp(parts, {
    docs: false,
    providers: [...adapters.keys()],
    log: pino({ level: 'silent' }),
    prepare: async each => {
      await each.register(swagger, {
        openapi: {
          openapi: '3.1.0',
          info: { title: 'Switchboard', version, description, license: { name: 'MIT', identifier: 'MIT' } },
          servers: [{ url: '/' }],
          tags: [
            { name: 'Messages', description: 'Send, and see what became of it.' },
            { name: 'Broadcasts', description: 'One template to many people, from a list or a table.' },
            { name: 'Templates', description: 'What may be sent at any time, once WhatsApp has approved it.' },
            { name: 'Contacts', description: 'The people behind the numbers.' },
            { name: 'Media', description: 'Files to send.' },
            { name: 'Channels', description: 'Senders: a provider account and its number.' },
            { name: 'Connections', description: 'Accounts that Maton holds the credentials of (administrators).' },
            { name: 'Native', description: 'The provider’s own API, for what this one does not say.' },
            { name: 'Keys', description: 'Who may do what (administrators).' },
            { name: 'Health', description: 'For balancers and for Prometheus; no key is asked for.' }
          ],
          components: {
            securitySchemes: {
              key: {
                type: 'http',
                scheme: 'bearer',
                description:
                  'A key of Switchboard: sk_live_… or sk_test_… (printed at the start), without the word Bearer.'
              }
            }
          }
        },
        refResolver: {
          buildLocalReference: (json, _base, _fragment, i) => (typeof json.$id === 'string' ? json.$id : `schema${i}`)
        },
        transform: ({ schema, url, route }) => {
          const guarded = route.config?.scope !== undefined
          const scope = route.config?.scope
          const rights = scope === undefined || scope === 'any' ? '' : `\n\nNeeds the scope \`${scope}\`.`
          if (schema?.hide) return { schema, url }
          const text = `${schema?.description ?? ''}${rights}`.trim()
          return {
            url,
            schema: { ...schema, ...(text && { description: text }), security: guarded ? [{ key: [] }] : [] }
          }
        }
      })
    }
  })
  const document = complete(app.swagger() as unknown as Doc)
  await app.close()
  return `# Made from the routes by \`npm run openapi\`. Do not edit.\n${stringify(document, { lineWidth: 120, aliasDuplicateObjects: false })}`
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(new URL('../openapi.yaml', import.meta.url), await makeOpenApi())
}
