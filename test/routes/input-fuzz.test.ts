import fc from 'fast-check'
import t from 'tap'
import { CreateBroadcast } from '../../schemas/broadcasts.ts'
import { messageExamples } from '../../schemas/examples.ts'
import { UpdateProfile } from '../../schemas/numbers.ts'
import { CreateTemplate } from '../../schemas/templates.ts'
import { breaches } from '../contract.ts'
import { document as openapi } from '../document.ts'
import { adminKey, type Board, cloudSettings, matonKey, startBoard } from '../helper.ts'

// P46: whatever comes, no 5xx that the document does not explain, no answer outside its schema, no secret, no hang.
// FUZZ_RUNS and FUZZ_SEED: more of it by night, or the same again.

interface Operation {
  operationId: string
  parameters?: { name: string; in: string }[]
  requestBody?: { content: Record<string, unknown> }
}
const document = openapi as {
  paths: Record<string, Record<string, Operation>>
}
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation }))
)
const secrets = [matonKey, adminKey, 'p'.repeat(32)]

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }
const right: Record<string, unknown[]> = {
  sendMessage: [
    ...Object.values(messageExamples).map(each => ({ ...each, channel: 'cloud' })),
    ...Object.values(messageExamples).map(each => ({ ...each, channel: 'wati', reference: 'r', metadata: { k: 'v' } }))
  ],
  createChannel: [
    { id: 'made', provider: 'whatsapp-cloud', connectionId: 'c', settings: cloudSettings },
    { id: 'made2', provider: 'wati', connectionId: 'c', settings: {}, default: true }
  ],
  createBroadcast: [{ ...CreateBroadcast.examples[0], channel: 'cloud' }],
  createTemplate: [{ ...CreateTemplate.examples[0], channel: 'cloud' }],
  updateProfile: UpdateProfile.examples,
  resendMessage: [{ acceptDuplicateRisk: true }, {}],
  resolveMessage: [{ verdict: 'confirm_sent' }, { verdict: 'resend', acceptDuplicateRisk: true }],
  resolveMessages: [
    { filter: {}, expectedCount: 0, verdict: 'abandon' },
    { filter: { channel: 'cloud', since: '2026-01-01T00:00:00Z' }, expectedCount: 1, verdict: 'confirm_sent' }
  ],
  markMessageRead: [{ typing: true }, {}],
  assignContact: [{ email: 'agent@example.com' }],
  updateChannel: [{ default: true }, { settings: { channelPhoneNumber: '85264318722' } }, { connectionId: 'c' }],
  createKey: [
    {
      service: 'x',
      mode: 'live',
      scopes: ['messages:read'],
      channels: ['cloud'],
      cidrs: ['10.0.0.0/8'],
      expiresAt: '2099-01-01T00:00:00Z'
    }
  ],
  updateKey: [
    { name: null, channels: null },
    { scopes: ['admin'], recipientPrefixes: ['49'] }
  ]
}
const hostile: Json[] = [
  null,
  true,
  0,
  -1,
  1e308,
  '',
  ' ',
  'x',
  '\u0000',
  '\ud800',
  '../../etc/passwd',
  "' or 1=1--",
  '<script>',
  '#{7*7}',
  '%00',
  '\r\nX: y',
  '😀',
  '٣',
  'x'.repeat(5000),
  '1'.repeat(400),
  [],
  {},
  [[]],
  { a: 1 },
  '2099-12-31T23:59:60Z',
  'http://127.0.0.1:1/',
  'file:///etc/passwd',
  `med_${'0'.repeat(32)}`,
  `msg_${'0'.repeat(32)}`,
  'constructor',
  '__proto__'
]
const anything = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...hostile) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json> }
)
const names = fc.constantFrom('x', 'id', 'to', 'type', 'text', 'secret', 'constructor', 'mode', 'paused', 'a/b', '')

/** One rule broken: something put in place of, beside or instead of a random member. */
function broken(value: unknown, path: number[], what: Json, how: number, name: string): unknown {
  const copy = structuredClone(value) as Record<string, unknown>
  let place = copy
  for (const step of path) {
    const inside = Object.values(place).filter(each => typeof each === 'object' && each !== null) as Record<
      string,
      unknown
    >[]
    if (inside.length === 0) break
    place = inside[step % inside.length]!
  }
  const keys = Object.keys(place)
  const key = keys[(path[0] ?? 0) % Math.max(keys.length, 1)] ?? name
  if (how === 0) delete place[key]
  else if (how === 1) place[name] = what
  else place[key] = what
  return copy
}
const bodyOf = (operationId: string): fc.Arbitrary<string | Uint8Array | undefined> => {
  const bases = right[operationId]
  if (!bases) return fc.constantFrom(undefined, undefined, undefined, '{}', 'x')
  const base = fc.constantFrom(...bases)
  const near = fc.tuple(base, fc.array(fc.nat(9), { minLength: 1, maxLength: 4 }), anything, fc.nat(2), names)
  return fc.oneof(
    { weight: 4, arbitrary: base.map(each => JSON.stringify(each)) },
    {
      weight: 6,
      arbitrary: near.map(([value, path, what, how, name]) => JSON.stringify(broken(value, path, what, how, name)))
    },
    { weight: 1, arbitrary: anything.map(each => JSON.stringify(each)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) }
  )
}
const headers = fc.record(
  {
    'content-type': fc.oneof(
      { weight: 8, arbitrary: fc.constant('application/json') },
      {
        weight: 1,
        arbitrary: fc.constantFrom('text/plain', 'multipart/form-data; boundary=x', 'multipart/form-data', 'x')
      }
    ),
    'idempotency-key': fc.constantFrom('k1', 'k2', '"', '', 'x'.repeat(300)),
    prefer: fc.constantFrom('respond-async', 'wait=1', 'wait=x', ';;,'),
    'x-request-id': fc.constantFrom('ok', 'not ok'),
    'content-encoding': fc.constantFrom('identity', 'gzip'),
    'if-match': fc.constant('*')
  },
  { requiredKeys: ['content-type'] }
)
/** What is made and changed comes up as often as all that only reads, or most runs would make nothing. */
const chosen = operations.flatMap(each =>
  right[each.operation.operationId] ? Array.from({ length: 8 }, () => each) : [each]
)
const requests = fc.constantFrom(...chosen).chain(({ method, path, operation }) => {
  const query = (operation.parameters ?? []).filter(each => each.in === 'query').map(each => each.name)
  return fc.record({
    method: fc.constant(method),
    path: fc.constant(path),
    id: fc.oneof(
      fc.nat(20),
      fc.constantFrom(
        // Not two dots: the client's own URL parser would take them away (test/routes/input.test.ts has them encoded).
        '%2e%2e%2f',
        '%00',
        '%zz',
        'self',
        'msg_',
        "'",
        `key_${'a'.repeat(41)}`,
        'a'.repeat(3000),
        '%F0%9F%98%80'
      )
    ),
    query: fc.oneof(
      fc.constant<[string, Json][]>(query.includes('channel') ? [['channel', 'cloud']] : []),
      fc.array(
        fc.tuple(
          fc.constantFrom(...query, 'x', 'limit', 'cursor'),
          fc.oneof(anything, fc.constantFrom<Json>('1', '100', 'cloud', '2026-01-01T00:00:00Z'))
        ),
        { maxLength: 3 }
      )
    ),
    body: method === 'GET' ? fc.constant(undefined) : bodyOf(operation.operationId),
    headers
  })
})

interface Seen {
  method: string
  path: string
  status: number
  contentType: string
  text: string
}
/** What must never be seen of an answer; empty when it is right. */
function wrongs(seen: Seen): string[] {
  const bare = decodeURI(seen.path.split('?')[0]!.replace(/%(zz|00)/gi, 'x'))
  return [
    ...breaches({ ...seen, path: bare }),
    ...(seen.status >= 500 ? [`${seen.status}: ${seen.text.slice(0, 200)}`] : []),
    ...secrets.filter(secret => seen.text.includes(secret)).map(() => 'a secret'),
    ...(/node_modules|\bat .+\.ts:\d+|SQLITE|ERR_[A-Z]|FST_/.test(seen.text.replaceAll(/"instance":"[^"]*"/g, ''))
      ? [`the inside: ${seen.text.slice(0, 300)}`]
      : [])
  ]
}

async function ask(
  board: Board,
  known: Record<string, string[]>,
  each: typeof requests extends fc.Arbitrary<infer R> ? R : never
): Promise<Seen> {
  const pool = known[each.path.split('/')[1]!] ?? ['x']
  const id = typeof each.id === 'number' ? pool[each.id % pool.length]! : each.id
  const query = each.query.map(
    ([name, value]) =>
      `${name}=${encodeURIComponent((typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed())}`
  )
  const path = each.path.replace(/\{\w+\}/, id) + (query.length > 0 ? `?${query.join('&')}` : '')
  const { request } = await import('undici')
  const answer = await request(board.url + path.replaceAll(' ', '%20'), {
    method: each.method as 'GET',
    headers: { authorization: `Bearer ${adminKey}`, ...each.headers },
    body: (each.body as string | undefined) ?? null,
    headersTimeout: 15_000
  })
  const contentType = String(answer.headers['content-type'] ?? '')
  // A stream of events has no end; what went before it is what is looked at.
  const endless = contentType.startsWith('text/event-stream')
  if (endless) answer.body.on('error', () => {}).destroy()
  const text = endless ? '' : await answer.body.text()
  return { method: each.method, path, status: answer.statusCode, contentType, text }
}

t.test('whatever comes is answered by the document, never with a defect of ours and never with a secret', async t => {
  const board = await startBoard(t)
  const runs = Number(process.env.FUZZ_RUNS ?? 1200)
  const seed = Number(process.env.FUZZ_SEED ?? Date.now())
  const made = await board.call('POST', '/messages', {
    body: messageExamples.text && { ...messageExamples.text, channel: 'cloud' }
  })
  const key = await board.call('POST', '/keys', { body: { service: 'y', mode: 'live', scopes: ['messages:read'] } })
  const known = {
    messages: [made.body.id, `msg_${'0'.repeat(32)}`, 'wamid.HBgA'],
    templates: ['order_update', 'parcel_ready', 'nowhere'],
    contacts: ['14155551234'],
    keys: [key.body.id, 'key_0'],
    channels: ['cloud', 'wati', 'made', 'nowhere'],
    media: [`med_${'0'.repeat(32)}`]
  }
  const count: Record<string, number> = {}
  await fc.assert(
    fc.asyncProperty(requests, async each => {
      const seen = await ask(board, known, each)
      count[seen.status] = (count[seen.status] ?? 0) + 1
      const wrong = wrongs(seen)
      if (wrong.length > 0) throw new Error(wrong.join('\n'))
    }),
    { numRuns: runs, seed, interruptAfterTimeLimit: 100_000 }
  )
  t.comment(`seed ${seed}`, count)
  // A busy machine may not come to all of them in the time that there is.
  const asked = Object.values(count).reduce((sum, each) => sum + each, 0)
  t.ok(count[200] && count[201] && count[400]! > asked / 8, 'it reached the inside as well as the doors')
  t.strictSame(
    board.log.filter(line => line.includes('nobody expected')),
    []
  )
  t.notMatch(board.log.join('\n'), new RegExp(secrets.join('|')))
  // How long a template may become with its variables only the provider knows, and it says so to the caller.
  const unfit = board.sandbox.ledger.violations().filter(each => !each.includes('132005: Translated text too long'))
  t.strictSame(unfit, [], 'and what went upstream was fit for it')
})

t.test('POSITIVE CONTROL: what must not be seen is found', async t => {
  const seen: Seen = {
    method: 'GET',
    path: '/channels',
    status: 200,
    contentType: 'application/json',
    text: '{"items":[],"nextCursor":null}'
  }
  t.strictSame(wrongs(seen), [], 'a right answer passes')
  t.ok(wrongs({ ...seen, text: '{"items":[{}],"nextCursor":null}' }).length, 'a member that is missing')
  t.ok(wrongs({ ...seen, text: '{"items":[],"nextCursor":null,"more":1}' }).length, 'a member too much')
  t.ok(wrongs({ ...seen, status: 418 }).length, 'a status that is not documented')
  t.ok(wrongs({ ...seen, status: 500, contentType: 'application/problem+json' }).length, 'a defect')
  t.ok(wrongs({ ...seen, contentType: 'text/html' }).length, 'another content type')
  t.ok(wrongs({ ...seen, path: '/nowhere', text: `{"a":"${matonKey}"}` }).length, 'a secret')
  t.ok(wrongs({ ...seen, path: '/nowhere', text: 'Error\n    at handler (/app/src/app.ts:12:3)' }).length, 'a stack')
})
