import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { adapters } from '../../src/adapters/index.ts'
import { spentMs } from '../cost.ts'

// The third table: a fixture a kind of event, made from the documented shapes (docs/webhooks.md C, D), and what it means.

const fixtures = (provider: string) =>
  globSync(`test/adapters/fixtures/${provider}/*.json`, { cwd: new URL('../..', import.meta.url).pathname })
    .sort()
    .map(file => ({
      name: basename(file, '.json'),
      ...(JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')) as {
        body: unknown
        heard: unknown
      })
    }))

const kinds = new Set([
  'status',
  'message',
  'outgoing',
  'template',
  'person',
  'preference',
  'ownership',
  'account',
  'other'
])

for (const [provider, { hear }] of adapters) {
  if (!hear) continue
  const all = fixtures(provider)
  const read = (body: unknown) => JSON.parse(JSON.stringify(hear.read(body))) as { kind: string; identity: string }[]

  t.test(`${provider} hears each kind of event as what it is`, async t => {
    t.ok(all.length > 20, 'there are fixtures')
    for (const { name, body, heard } of all) t.strictSame(read(body), heard, name)
  })

  t.test(`${provider} hears something in every body, and never throws`, async t => {
    const sane = (body: unknown) => {
      for (const each of read(body)) if (!kinds.has(each.kind) || each.identity === '') return false
      return true
    }
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 6 }), sane), { numRuns: 500 })
    // genuine bodies of which one member is something else
    const paths = all.flatMap(({ body }) => pathsOf(body).map(path => ({ body, path })))
    const mutated = fc.tuple(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 2 }))
    fc.assert(
      fc.property(mutated, ([{ body, path }, value]) => sane(replaced(body, path, value))),
      { numRuns: 3000 }
    )
    const deep = JSON.parse('['.repeat(20_000) + ']'.repeat(20_000)) as unknown
    const deepObject = JSON.parse(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`) as unknown
    for (const { body, path } of paths)
      if (!sane(replaced(body, path, deep)) || !sane(replaced(body, path, deepObject)))
        t.fail(`deep in ${path.join('.')}`)
    for (const hostile of [
      {
        __proto__: null,
        entry: [{ changes: [{ field: 'constructor', value: { statuses: [{ status: 'toString', id: 'x' }] } }] }]
      },
      JSON.parse(
        '{"entry":[{"changes":[{"field":"__proto__","value":{"__proto__":{"a":1}}}]}],"eventType":"__proto__"}'
      ),
      { eventType: 'hasOwnProperty' },
      { entry: Array.from({ length: 2000 }, () => null) }
    ])
      t.ok(sane(hostile))
  })
}

const watis = adapters.get('wati')!.hear!
const clouds = adapters.get('whatsapp-cloud')!.hear!

t.test('variants of one event of WATI’s are one, but the one that alone tells our id comes through', async t => {
  const event = { eventType: 'sentMessageDELIVERED', id: 'b2', whatsappMessageId: 'wamid.1', timestamp: '1795774456' }
  const identity = (more: object) => watis.read({ ...event, ...more })[0]!.identity
  t.equal(identity({}), identity({ eventType: 'SentMessageDelivered_v2' }))
  t.equal(identity({}), identity({ eventType: 'sentMessageDELIVERED_v2_bsuid' }))
  t.not(identity({}), identity({ localMessageId: 'msg_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3' }))
  t.not(identity({}), identity({ eventType: 'sentMessageREAD' }))
})

t.test('one unreadable part hides no other', async t => {
  const change = (value: unknown) => ({ field: 'messages', value })
  const good = change({ statuses: [null, { id: 'wamid.1', status: 'read' }, 7] })
  const body = { object: 'whatsapp_business_account', entry: [null, { changes: [null, change(3), good] }, 'x'] }
  t.match(
    clouds.read(body).filter(each => each.kind === 'status'),
    [{ ids: ['wamid.1'], status: 'read' }]
  )
})

t.test(
  'however deep something is nested, the rest of its body is heard, and all of it can be written down',
  async t => {
    const depth = 20_000
    const nested = '['.repeat(depth) + ']'.repeat(depth)
    const text = { type: 'text', text: { body: 'beside it' }, from: '14155550100', id: 'wamid.beside' }
    const flow = { type: 'nfm_reply', nfm_reply: { name: 'flow', body: 'Sent', response_json: nested } }
    const edits = (i: number): object => {
      let message: object = text
      for (let left = i; left > 0; left--)
        message = {
          type: 'edit',
          edit: { original_message_id: 'wamid.a', message },
          from: '14155550100',
          id: 'wamid.edit'
        }
      return message
    }
    const messages = [{ ...text, type: 'interactive', interactive: flow, id: 'wamid.flow' }, edits(depth), text]
    const heard = clouds.read({ entry: [{ changes: [{ field: 'messages', value: { messages } }] }] })
    t.match(heard, [
      { message: { type: 'reply', content: { kind: 'flow', data: { text: /^\[\[/ } } } },
      { message: { type: 'edit', content: { type: 'unsupported' } } },
      { message: { type: 'text', content: { body: 'beside it' } } }
    ])
    t.doesNotThrow(() => JSON.stringify(heard))
    t.throws(() => JSON.stringify(JSON.parse(nested)), RangeError, 'CONTROL: what was told cannot be written')
    const [wati] = watis.read({
      eventType: 'message',
      id: 'a1',
      type: 'interactive',
      nfmReply: { response_json: nested }
    })
    t.match(wati, { message: { type: 'reply', content: { kind: 'flow', data: { text: /^\[\[/ } } } })
  }
)

t.test('a body of many people and messages is read in a time that grows with it, not with its square', async t => {
  const spent = (count: number) => {
    const contacts = Array.from({ length: count }, (_, i) => ({ wa_id: String(14_150_000_000 + i) }))
    const messages = contacts.map(({ wa_id }, i) => ({ from: wa_id, id: `w${i}`, type: 'text', text: { body: 'x' } }))
    return spentMs(async () => {
      t.equal(
        clouds.read({ entry: [{ changes: [{ field: 'messages', value: { contacts, messages } }] }] }).length,
        count
      )
    })
  }
  await spent(1000)
  const ms = await spent(20_000)
  t.ok(ms < 5000, `${ms} ms of the processor for 20,000`)
})

t.test('instants come as text, as numbers and in milliseconds; what is none is left out', async t => {
  const at = (timestamp: unknown) =>
    clouds.read({
      entry: [{ changes: [{ field: 'messages', value: { statuses: [{ id: 'a', status: 'sent', timestamp }] } }] }]
    })[0]!.at
  for (const told of ['1795774456', 1795774456, 1795774456000, '1795774456000']) t.equal(at(told), 1795774456000)
  for (const told of ['yesterday', -5, 0, null, {}, 1e300, 'NaN']) t.equal(at(told), undefined)
})

t.test('a body about another number is none of the channel’s', async t => {
  const settings = { phoneNumberId: '1', businessAccountId: '2' }
  t.ok(clouds.concerns(settings, { numberId: '1', accountId: '9' }))
  t.notOk(clouds.concerns(settings, { numberId: '3', accountId: '2' }))
  t.ok(clouds.concerns(settings, { accountId: '2' }))
  t.notOk(clouds.concerns(settings, { accountId: '9' }))
  t.ok(watis.concerns({}, { phone: '14155550199' }))
  t.ok(watis.concerns({ channelPhoneNumber: '14155550199' }, {}))
  t.notOk(watis.concerns({ channelPhoneNumber: '14155550199' }, { phone: '14155550198' }))
})

/** Every place in a JSON value. */
function pathsOf(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, member]) => pathsOf(member, [...path, key]))]
}

function replaced(value: unknown, [key, ...rest]: string[], by: unknown): unknown {
  if (key === undefined) return by
  const copy = structuredClone(value) as Record<string, unknown>
  copy[key] = replaced(copy[key], rest, by)
  return copy
}
