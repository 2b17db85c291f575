import t from 'tap'
import { messageExamples } from '../../schemas/examples.ts'
import { mostFaults } from '../../src/http/validation.ts'
import { document as openapi } from '../document.ts'
import { startBoard } from '../helper.ts'

// docs/reliability.md P49: no request costs more than its size. From the example of each JSON body, bodies as long as the route
// takes: each list, each object and each text of it filled up with what is wrong.

interface Operation {
  operationId: string
  requestBody?: { content: Record<string, { schema?: { $ref?: string; examples?: unknown[] } }> }
}
const document = openapi as {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, { examples?: unknown[] }> }
}
const limitOf = (operation: string) => (operation === 'createBroadcast' ? 8 * 1024 * 1024 : 256 * 1024) - 1024
/** Of the processor, for the costliest one; the promise is 250 ms on a quiet machine, and this one runs the client too. */
const mostMs = 1500

interface Place {
  path: string[]
  value: unknown
}
function placesOf(value: unknown, path: string[] = []): Place[] {
  const inner = typeof value === 'object' && value !== null ? Object.entries(value) : []
  return [{ path, value }, ...inner.flatMap(([key, member]) => placesOf(member, [...path, key]))]
}
function replaced(value: unknown, [key, ...rest]: string[], by: unknown): unknown {
  if (key === undefined) return by
  const copy = structuredClone(value) as Record<string, unknown>
  copy[key] = replaced(copy[key], rest, by)
  return copy
}
const fill = (element: string, length: number, number = (_: number) => '') =>
  Array.from({ length: Math.floor(length / (element.length + 7)) }, (_, i) => element + number(i))

/** What goes in the place of a value: JSON texts as long as may be. */
function costly(value: unknown, length: number): string[] {
  if (typeof value === 'string')
    return ['('.repeat(length), ' '.repeat(length), '1'.repeat(length), '+1 '.repeat(length / 3)].map(each =>
      JSON.stringify(each)
    )
  if (Array.isArray(value)) return [`[${'{},'.repeat(length / 3 - 1)}{}]`, `[${'0,'.repeat(length / 2 - 1)}0]`]
  if (typeof value === 'object' && value !== null) return [`{${fill('"a', length - 64, i => `${i}":{}`).join(',')}}`]
  return []
}

t.test('the costliest bodies of every route that takes JSON', { timeout: 900_000 }, async t => {
  const board = await startBoard(t)
  let most = { cpu: 0, name: '' }
  let tried = 0
  for (const [path, methods] of Object.entries(document.paths))
    for (const [method, { operationId, requestBody }] of Object.entries(methods)) {
      const content = requestBody?.content?.['application/json']
      if (!content || path.includes('/native/')) continue
      const schema = content.schema?.$ref
        ? document.components.schemas[content.schema.$ref.split('/').at(-1)!]
        : content.schema
      const examples = ['sendMessage', 'validateMessage'].includes(operationId)
        ? Object.values(messageExamples)
        : ((schema?.examples as unknown[]) ?? [])
      t.ok(examples.length > 0, `${operationId} has an example`)
      const address = path
        .replace(/\{id\}/, 'msg_00000000000000000000000000000000')
        .replace(/\{(\w+)\}/g, '14155551234')
      const marker = '"here is the place"'
      const seen = new Set<string>()
      for (const example of examples.slice(0, 12))
        for (const { path: place, value } of placesOf(example).filter(
          ({ path }) => !seen.has(path.join('/')) && seen.add(path.join('/'))
        ))
          for (const text of costly(value, limitOf(operationId) - JSON.stringify(example).length)) {
            const body = JSON.stringify(replaced(example, place, 'here is the place')).replace(marker, () => text)
            const before = process.cpuUsage()
            const answer = await board.call(method.toUpperCase(), address, {
              body,
              headers: { 'content-type': 'application/json' }
            })
            const { user, system } = process.cpuUsage(before)
            const cpu = (user + system) / 1000
            const name = `${operationId} /${place.join('/')} ${text.slice(0, 12)}`
            if (cpu > most.cpu) most = { cpu, name }
            tried++
            if (answer.status >= 500) t.fail(`${name}: ${answer.status} ${answer.text}`)
            if (answer.status >= 400 && answer.text.length > 64 * 1024)
              t.fail(`${name}: an answer of ${answer.text.length} bytes`)
            if ((answer.body?.errors?.length ?? 0) > mostFaults) t.fail(`${name}: ${answer.body.errors.length} faults`)
          }
    }
  t.ok(tried > 200, `${tried} bodies`)
  t.ok(most.cpu < mostMs, `the costliest took ${Math.round(most.cpu)} ms of the processor: ${most.name}`)
  const { body } = await board.call('POST', '/messages', {
    body: { ...messageExamples.text, ...Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x${i}`, 1])) }
  })
  t.equal(body.errors.length, mostFaults)
  t.match(body.detail, /and 200 more faults$/)
})
