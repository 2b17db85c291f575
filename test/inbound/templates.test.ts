import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import t from 'tap'
import { adapters } from '../../src/adapters/index.ts'
import type { ProviderClient } from '../../src/dispatch/provider-client.ts'
import { createDefinitions, type TemplateChange } from '../../src/templates/definitions.ts'
import { createTemplatePoll } from '../../src/templates/poll.ts'
import { signedIn } from '../console.ts'
import { type Board, startBoard } from '../helper.ts'
import { until } from '../until.ts'

// A template's status, quality, category or text changes: what is remembered of it is asked for again (docs/webhooks.md C6, D1).

const fixture = (provider: string, name: string) =>
  readFileSync(new URL(`../adapters/fixtures/${provider}/${name}.json`, import.meta.url), 'utf8')
const events = {
  cloud: ['status', 'quality', 'category', 'components'].map(kind => fixture('whatsapp-cloud', `template-${kind}`)),
  wati: ['reviewed', 'quality'].map(kind => fixture('wati', `template-${kind}`))
}
const variables = { cloud: ['Ada', '12345'], wati: { name: 'Ada', ordernumber: '12345' } }
const asked = (board: Board) =>
  board.sandbox.ledger.entries.filter(({ operation }) => /templates?$/i.test(operation ?? '')).length

for (const channel of ['cloud', 'wati'] as const)
  t.test(`${channel}: each event of a template has its definition asked for again, and no other’s`, async t => {
    const board = await startBoard(t)
    const door = (await board.board.app.door.pathOf(channel, 'live'))!
    const template = { name: 'order_update', language: 'en_US', variables: variables[channel] }
    const send = async () => {
      const body = { channel, to: '+14155551234', type: 'template', template }
      const before = asked(board)
      t.equal((await board.call('POST', '/messages', { body })).status, 201)
      return asked(board) - before
    }
    let heard = 0
    const tell = async (text: string) => {
      const { body } = JSON.parse(text)
      await board.call('POST', door, { key: '', body: JSON.stringify({ ...body, told: ++heard }) })
      await until(
        async () => (await board.call('GET', '/metrics')).text,
        text => text.includes(`kind="template",outcome="done"} ${heard}\n`)
      )
    }
    t.equal(await send(), 1)
    t.equal(await send(), 0, 'CONTROL: it is remembered')
    for (const text of events[channel]) {
      await tell(text.replaceAll('order_ready', 'order_update'))
      t.equal(await send(), 1, text)
      t.equal(await send(), 0)
    }
    await tell(
      events[channel][0]!.replaceAll(/order_ready|order_update/g, 'another_name').replaceAll(/594425|68ae/g, '777')
    )
    t.equal(await send(), 0, 'CONTROL: another name’s event')
  })

t.test('a category that will change tomorrow is told with the time, and once more when it has changed', async t => {
  const board = await startBoard(t)
  const door = (await board.board.app.door.pathOf('cloud', 'live'))!
  for (const name of ['template-category-tomorrow', 'template-category'])
    await board.call('POST', door, { key: '', body: JSON.stringify(JSON.parse(fixture('whatsapp-cloud', name)).body) })
  const items = await until(
    async () => (await board.call('GET', '/events?type=template.updated')).body.items as { data: object }[],
    items => items.length === 2
  )
  const category = { change: 'category', value: 'marketing', before: 'utility' }
  t.match(items[0]!.data, { ...category, effectiveAt: '2026-11-28T10:14:10.000Z' })
  t.match(items[1]!.data, { ...category, effectiveAt: undefined })
})

t.test('GET /templates tells when the provider said so', async t => {
  const board = await startBoard(t)
  const before = Date.now()
  for (const path of ['/templates?channel=cloud', '/templates/order_update?channel=wati']) {
    const { items } = (await board.call('GET', path)).body
    t.ok(items.length > 0)
    for (const { syncedAt } of items) t.ok(Date.parse(syncedAt) >= before && Date.parse(syncedAt) <= Date.now())
  }
})

t.test('GET /templates tells the quality that the provider lists, and the page shows it', async t => {
  const board = await startBoard(t)
  for (const channel of ['cloud', 'wati']) {
    const { items } = (await board.call('GET', `/templates?channel=${channel}&limit=100`)).body
    const qualities = Object.fromEntries(items.map(({ name, quality }: Record<string, string>) => [name, quality]))
    t.match(qualities, { order_update: 'green', paused_offer: 'red', rejected_promo: 'unknown' }, channel)
    const operator = await signedIn(board)
    const cells = new Map(
      (await operator.get(`/console/templates?channel=${channel}`)).text
        .split('<tr>')
        .map(row => [/<a[^>]*>(\w+)<\/a>/.exec(row)?.[1], /data-label="Quality">([\s\S]*?)<\/td>/.exec(row)?.[1] ?? ''])
    )
    t.match(cells.get('order_update'), /mark good[\s\S]*green/)
    t.match(cells.get('paused_offer'), /mark bad[\s\S]*red/)
    const one = await operator.get(`/console/templates/paused_offer?channel=${channel}`)
    t.match(one.text, /Quality <span class="mark bad">[\s\S]*red/)
  }
})

t.test('the slow poll asks for the templates of channels that send some, where no webhook tells of them', async t => {
  const now = { status: 'approved' }
  const calls: string[] = []
  const call = async (_: string, { id }: { id: string }, { name }: { name?: string }) => {
    calls.push(`${id} ${name ?? 'all'}`)
    const item = { channel: id, name: 'order_update', language: 'en_US', status: now.status }
    return { output: { items: [item], nextCursor: null } }
  }
  const changes: TemplateChange[] = []
  const definitions = createDefinitions({ call } as unknown as ProviderClient, change => changes.push(change))
  const poll = createTemplatePoll(definitions, adapters, pino({ level: 'silent' }))
  const of = (id: string, provider: string, settings = {}) => ({
    ...{ id, provider, settings },
    ...{ mode: 'live' as const, connectionId: 'c' }
  })
  const channels = [of('cloud', 'whatsapp-cloud'), of('app', 'whatsapp-cloud', { appSecret: 's' }), of('w', 'wati')]
  for (const channel of channels) await definitions.find(channel, 'order_update')
  calls.length = 0
  now.status = 'paused'
  await poll.run()
  t.strictSame(calls, ['cloud all'], 'an app of one’s own and WATI tell by themselves')
  t.strictSame(changes, [
    { channel: 'cloud', name: 'order_update', language: 'en_US', before: 'approved', now: 'paused' }
  ])
  const { items, remembered } = await definitions.find(channels[0]!, 'order_update')
  t.match([items, remembered], [[{ status: 'paused' }], true], 'and then that is believed')
  t.equal(calls.length, 1)
  await poll.run()
  t.equal(calls.length, 2, 'it was used since')
  await poll.run()
  t.equal(calls.length, 2, 'a channel that needed none since is not asked about')
})

t.test('an account that does not answer stops no other from being asked, and is asked again', async t => {
  const asked: string[] = []
  let down = 'one'
  const call = async (_: string, { id }: { id: string }) => {
    asked.push(id)
    if (id === down) throw new Error('does not answer')
    return { output: { items: [], nextCursor: null } }
  }
  const definitions = createDefinitions({ call } as unknown as ProviderClient)
  const channel = (id: string) => ({ id, provider: 'p', connectionId: id, mode: 'live' as const, settings: {} })
  down = 'none'
  for (const id of ['one', 'two', 'three']) await definitions.find(channel(id), 'a')
  down = 'one'
  asked.length = 0
  await t.rejects(
    definitions.refreshUsed(() => true),
    /does not answer/
  )
  t.strictSame(asked, ['one', 'two', 'three'])
  await t.rejects(definitions.refreshUsed(() => true))
  t.strictSame(asked.slice(3), ['one'])
})
