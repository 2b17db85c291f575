import { newId } from '../../src/ids.ts'
import type { Caller } from '../../src/keys/caller.ts'
import type { ListFilter } from '../../src/messages/filter.ts'
import { createMessageList } from '../../src/messages/lists/list.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { queueOf } from '../../src/messages/queue.ts'
import type { MessageRow } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { caller, message } from './store-rows.ts'

const hour = 3600_000
const of = <T>(list: readonly T[], i: number): T => list[i % list.length]!
const newestFirst = (rows: MessageRow[]) => rows.sort((a, b) => (a.id < b.id ? 1 : -1))

async function putAll(store: Store, rows: readonly MessageRow[]): Promise<void> {
  const queries = messageQueries(store)
  await store.write(function* () {
    for (const row of rows) yield queries.insert({ ...row, queue: row.queue && queueOf(row), lease_ms: 60_000 })
  })
}

/** All pages of a list, one after the other. */
async function pages(store: Store, most: number, who: Caller, filter: ListFilter, limit: number): Promise<string[]> {
  const list = createMessageList(store, most)
  const ids: string[] = []
  for (let after: string | undefined; ; after = ids.at(-1)) {
    const rows = await list(who, filter, { limit, ...(after !== undefined && { after }) })
    ids.push(...rows.slice(0, limit).map(({ id }) => id))
    if (rows.length <= limit) return ids
  }
}

/** Messages of every kind that a filter tells apart; some told long after they were made, and some with ids from before. */
function mixed(at: number): MessageRow[] {
  const rows: MessageRow[] = []
  for (let i = 0; i < 240; i++) {
    const inbound = i % 7 === 3
    const user = of(['US.1', 'US.2'], i)
    const made = at + i * hour
    const astray = i % 11 === 5 ? 48 * hour : i % 23 === 7 ? -30 * hour : 0
    const id = `msg_${(made + astray).toString(16).padStart(12, '0')}${newId('msg').slice(16)}`
    rows.push(
      message({
        ...{ id, created_at: made },
        service: inbound ? '' : of(['billing', 'other', 'third'], i),
        direction: inbound ? 'inbound' : 'outbound',
        mode: i % 5 === 4 ? 'test' : 'live',
        channel_id: of(['a', 'b', 'c'], i >> 1),
        contact: i % 13 === 0 ? user : of(['491', '492', '493'], i),
        user_id: i % 13 === 0 ? user : null,
        state: inbound
          ? 'received'
          : of(['queued', 'claimed', 'sending', 'accepted', 'read', 'failed', 'unknown', 'expired'] as const, i >> 2),
        final: i % 3 === 0 ? 1 : 0,
        lane: i % 2,
        // Some as the release before put them in.
        queue: i % 4 === 1 ? '' : 'a line',
        reference: i % 4 === 0 ? 'again' : null,
        broadcast_id: i % 6 === 1 ? `brd_${i}` : null
      })
    )
  }
  return newestFirst(rows)
}

type Fits = (row: MessageRow) => boolean
const filters = (since: number, until: number): [string, ListFilter, Fits][] => [
  ['all', {}, () => true],
  ['channel', { channel: 'b' }, row => row.channel_id === 'b'],
  ['person', { people: ['492', 'US.2'] }, row => row.contact === '492' || row.user_id === 'US.2'],
  ['reference', { reference: 'again' }, row => row.reference === 'again'],
  ['broadcast', { broadcastId: 'brd_7' }, row => row.broadcast_id === 'brd_7'],
  ['inbound', { direction: 'inbound' }, row => row.direction === 'inbound'],
  ['outbound', { direction: 'outbound' }, row => row.direction === 'outbound'],
  ['final', { final: true }, row => row.final === 1],
  ['since', { since: new Date(since).toISOString() }, row => row.created_at >= since],
  ['until', { until: new Date(until).toISOString() }, row => row.created_at < until],
  ['queued', { status: 'queued' }, row => row.state === 'queued' || row.state === 'claimed'],
  ...(['sending', 'failed', 'unknown', 'expired', 'canceled', 'read', 'received'] as const).map(
    (status): [string, ListFilter, Fits] => [status, { status }, row => row.state === status]
  )
]
const callers: [string, Caller, Fits][] = [
  ['own', caller(), row => row.service === 'billing' && row.mode === 'live'],
  [
    'reader',
    caller({ scopes: new Set(['inbound:read']) }),
    row => ['billing', ''].includes(row.service) && row.mode === 'live'
  ],
  ['everybody', caller({ scopes: new Set(['admin']) }), row => row.mode === 'live'],
  [
    'of all services',
    caller({ scopes: new Set(['read_all']), mode: 'test' }),
    row => row.service !== '' && row.mode === 'test'
  ],
  [
    'held to channels',
    caller({ scopes: new Set(['admin']), channels: new Set(['a', 'c']) }),
    row => row.mode === 'live' && ['a', 'c'].includes(row.channel_id)
  ]
]

/** What walks down indexes find, against a look at every message. */
export function walkCases(test: Case): void {
  test('whatever two things are asked for, a list finds what a look at every message finds', async (t, { store }) => {
    const at = Date.now() - 20 * 24 * hour
    const rows = mixed(at)
    await putAll(store, rows)
    const all = filters(at + 80 * hour, at + 160 * hour)
    const lists = [3, 500].map(most => createMessageList(store, most))
    const wrong: string[] = []
    let asked = 0
    for (const [who, asker, seen] of callers)
      for (const [i, [one, filter, fits]] of all.entries())
        for (const [other, more, fitsToo] of all.slice(i)) {
          const whole = { ...filter, ...more }
          // One filter has one status and one direction.
          if (one !== other && Object.keys(whole).length < Object.keys(filter).length + Object.keys(more).length)
            continue
          // Every other one deep down.
          const after = asked++ % 2 === 0 ? undefined : rows[rows.length / 2]!.id
          const wanted = rows.filter(
            row => seen(row) && fits(row) && fitsToo(row) && (after === undefined || row.id < after)
          )
          const found = await of(lists, asked >> 1)(asker, whole, { limit: 7, ...(after !== undefined && { after }) })
          if (
            found.map(({ id }) => id).join() !==
            wanted
              .slice(0, 8)
              .map(({ id }) => id)
              .join()
          )
            wrong.push(`${who}: ${one}, ${other}, ${after}`)
        }
    t.strictSame(wrong, [])
    t.ok(asked > 500)
  })

  test('from page to page a list gives all that it is of, each message once', async (t, { store }) => {
    const at = Date.now() - 20 * 24 * hour
    const rows = mixed(at)
    await putAll(store, rows)
    for (const [who, asker, seen] of callers)
      for (const [name, filter, fits] of filters(at + 80 * hour, at + 160 * hour)) {
        const wanted = rows.filter(row => seen(row) && fits(row)).map(({ id }) => id)
        t.strictSame(await pages(store, 3, asker, filter, 20), wanted, `${who}: ${name}`)
      }
  })

  test('more channels than one statement steps over are no matter', async (t, { store }) => {
    const at = Date.now() - 10 * 24 * hour
    const rows = Array.from({ length: 460 }, (_, i) => {
      const made = at + i * 60_000
      return message({
        ...{ id: newId('msg', i % 31 === 4 ? made + hour : made), created_at: made },
        channel_id: `channel-${(i * 7) % 230}`,
        service: i < 20 ? `service-${i}` : 'billing',
        state: of(['accepted', 'queued', 'failed', 'read'] as const, i >> 3)
      })
    })
    await putAll(store, rows)
    newestFirst(rows)
    const half = new Set(
      rows
        .slice(0, 400)
        .map(row => row.channel_id)
        .filter((_, i) => i % 2 === 0)
    )
    const [since, until] = [at + 100 * 60_000, at + 300 * 60_000]
    const all = filters(since, until).filter(([name]) =>
      ['all', 'until', 'since', 'queued', 'failed', 'read'].includes(name)
    )
    const asking: [Caller, Fits][] = [
      [caller(), row => row.service === 'billing'],
      [caller({ scopes: new Set(['admin']) }), () => true],
      [caller({ channels: half }), row => row.service === 'billing' && half.has(row.channel_id)]
    ]
    for (const [asker, seen] of asking)
      for (const [name, filter, fits] of all) {
        const wanted = rows.filter(row => seen(row) && fits(row)).map(({ id }) => id)
        t.strictSame(await pages(store, 50, asker, filter, 150), wanted, name)
      }
  })

  test('a message that goes while a page is made leaves its place to the next', async (t, { store }) => {
    const rows = newestFirst(Array.from({ length: 12 }, () => message({ state: 'failed' })))
    await putAll(store, rows)
    let gone = false
    const read: Store['read'] = async query => {
      if (query.sql.includes('select * from messages where id in') && !gone) {
        gone = true
        await store.write(function* () {
          yield store.build.deleteFrom('messages').where('id', '=', rows[1]!.id).compile()
          yield store.build.updateTable('messages').set({ state: 'read' }).where('id', '=', rows[2]!.id).compile()
        })
      }
      return store.read(query)
    }
    const found = await createMessageList({ ...store, read })(caller(), { status: 'failed' }, { limit: 5 })
    t.ok(gone)
    t.strictSame(
      found.map(({ id }) => id),
      [rows[0]!, ...rows.slice(3, 8)].map(({ id }) => id)
    )
  })
}
