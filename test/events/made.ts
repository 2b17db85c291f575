import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Test } from 'tap'
import { type EventType, eventTypes } from '../../schemas/events.ts'
import { order } from '../broadcasts/order.ts'
import { adminKey, type Board, startBoard, until } from '../helper.ts'

type Made = Record<string, unknown> & { type: EventType; data: Record<string, unknown> }

const scopes = [
  ...['messages:send', 'messages:read', 'events:read', 'inbound:read', 'broadcasts:write', 'broadcasts:read'],
  ...['suppressions:write']
]
const soon = (ms: number) => new Date(Date.now() + ms).toISOString()
const fixture = (path: string) =>
  JSON.stringify(JSON.parse(readFileSync(new URL(`../adapters/fixtures/${path}`, import.meta.url), 'utf8')).body)

/** Everything that a test key can bring about in the sandbox, and what providers tell of by themselves. */
async function happen(board: Board, key: string): Promise<void> {
  const send = (to: string, more: object = {}) =>
    board.call('POST', '/messages', {
      key,
      headers: { prefer: 'respond-async' },
      body: { channel: 'cloud', to, type: 'text', text: { body: 'Hello' }, ...more }
    })
  const tell = async (channel: string, body: string) =>
    board.call('POST', (await board.board.app.door.pathOf(channel, 'test'))!, { key: '', body })

  await send('15550100111')
  // The examples are of the first of each type: this person has answered before anybody else is written to.
  await until(
    () => read(board, key),
    events => ['message.read', 'message.received'].every(type => events.some(event => event.type === type))
  )
  await send('15550100118')
  await send('15550100001')
  await send('15550100017')
  const late = await send('15550100101', { deliverBy: soon(3600_000) })
  const { body } = await send('14155550100', { sendAt: soon(3600_000) })
  await board.call('POST', `/messages/${body.id}/cancel`, { key })
  const old = await send('14155550100', { sendAt: soon(3600_000), expiresAt: soon(7200_000) })
  // Their times are over at once: on a busy machine a near one would be before they are accepted.
  const db = new DatabaseSync(join(board.directory, 'switchboard.db'))
  db.prepare('update messages set deliver_by = ? where id = ?').run(Date.now() - 1000, late.body.id)
  db.prepare('update messages set expires_at = ? where id = ?').run(Date.now() - 1000, old.body.id)
  db.close()
  await tell('wati', fixture('wati/operator-sent.json'))
  for (const name of ['handover', 'template-status']) await tell('cloud', fixture(`whatsapp-cloud/${name}.json`))
  await board.call('POST', '/suppressions', { key, body: { to: '+14155550123', category: 'marketing' } })
  await board.call('POST', '/broadcasts', { key, body: { ...order(1), channel: 'cloud' } })
}

/** What only an administrator brings about. */
async function administer(board: Board): Promise<void> {
  await board.call('POST', '/channels/cloud/pause')
  await board.call('POST', '/channels/cloud/resume')
  const { items } = (await board.call('GET', '/connections?status=active')).body
  const { id } = items.find(({ provider }: { provider: string }) => provider === 'wati')
  await board.call('PATCH', '/channels/wati', { body: { connectionId: id } })
  await board.board.connectionWatch.run()
  await board.call('DELETE', `/connections/${id}?force=true`)
  await board.board.connectionWatch.run()
}

async function read(board: Board, key: string): Promise<Made[]> {
  const all: Made[] = []
  for (let since = ''; ; ) {
    const { items, nextCursor } = (await board.call('GET', `/events?limit=100${since && `&since=${since}`}`, { key }))
      .body
    if (items.length === 0) return all
    all.push(...items)
    since = nextCursor
  }
}

/** One event of each type, the first of it that was made. */
export async function makeEvents(t: Test): Promise<Map<EventType, Made>> {
  const directory = t.testdir()
  const first = await startBoard(t, { directory, hears: true })
  for (const [id, provider, settings] of [
    ['cloud', 'whatsapp-cloud', { phoneNumberId: '106540352242922', businessAccountId: '102290129340398' }],
    ['wati', 'wati', {}]
  ] as const)
    await first.call('POST', '/channels', { body: { id, provider, connectionId: `${id}-connection`, settings } })
  const key = await first.key({ scopes, mode: 'test' })
  await happen(first, key)
  await administer(first)
  const live = eventTypes.filter(type => type.startsWith('channel.') || type.startsWith('connection.'))
  const types = new Set(eventTypes.filter(type => !live.includes(type)))
  await until(
    async () => types.difference(new Set((await read(first, key)).map(({ type }) => type))).size,
    missing => missing === 0
  )
  await first.close()
  // A registration that is gone at the provider, as its watch found it.
  const db = new DatabaseSync(join(directory, 'switchboard.db'))
  const row = [
    'cloud',
    'live',
    null,
    1,
    'false',
    null,
    'Meta says that the override is not ours',
    Date.now(),
    1,
    null,
    null
  ]
  db.prepare(`insert into webhook_registrations values (${row.map(() => '?').join(', ')})`).run(...row)
  db.close()
  const second = await startBoard(t, { directory, hears: true })
  await until(
    () => read(second, adminKey),
    found => found.some(({ type }) => type === 'channel.silent')
  )
  const all = [...(await read(second, key)), ...(await read(second, adminKey))]
  return new Map(eventTypes.map(type => [type, all.find(each => each.type === type)!]))
}
