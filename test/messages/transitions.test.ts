import { globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Compilable, CompiledQuery } from 'kysely'
import { pino } from 'pino'
import t from 'tap'
import { blockKeysOf } from '../../src/messages/blocks.ts'
import { unsuppressed } from '../../src/messages/suppressed.ts'
import { broadcastTransitions } from '../../src/messages/transitions/broadcast.ts'
import { doubtTransitions } from '../../src/messages/transitions/doubt.ts'
import { messageTransitions } from '../../src/messages/transitions/message.ts'
import { providerTransitions } from '../../src/messages/transitions/provider.ts'
import { queueTransitions } from '../../src/messages/transitions/queue.ts'
import { openStore } from '../../src/store/index.ts'
import type { MessageRow, MessageState } from '../../src/store/schema.ts'
import { all, type Store } from '../../src/store/store.ts'
import { entry, message, outcome } from '../conformance/store-rows.ts'

// docs/message-states.md against the statements themselves: each is run on a message in every state, and what it does is what
// the page draws. And nothing outside of src/messages/transitions changes a state.

const states: MessageState[] = [
  ...(['queued', 'claimed', 'sending', 'unknown', 'accepted', 'sent', 'delivered', 'read'] as const),
  ...(['failed', 'expired', 'canceled', 'received'] as const)
]
const past = 1000
const lease = Date.now() + 3600_000
const word = {
  ...{ entry, provider_message_id: null, accepted_at: null, sent_at: null, delivered_at: null, read_at: null },
  ...{ person: null, pricing: null, error: null, failed_at: null, resolution: null }
}
const broadcast_id = 'bc_1'
const common = { ...blockKeysOf(message()), ...unsuppressed, lease_ms: 1000, entry }

type Run = (row: MessageRow) => Compilable | CompiledQuery
/** Each statement that moves a message, with the words that it is given where they decide where it goes. */
function statements(store: Store): Record<string, Run[]> {
  const one = messageTransitions(store)
  const queue = queueTransitions(store)
  const doubt = doubtTransitions(store)
  const { advances, fill, fall, rise } = providerTransitions(store)
  const many = broadcastTransitions(store)
  const to = (state: MessageState) => ({ state, final: state === 'failed' ? 1 : 0 })
  return {
    dispatch: [row => one.dispatch({ ...common, id: row.id, attempts: row.attempts, next: row.attempts + 1 })],
    dispatchAll: [row => one.dispatchAll({ ...common, ids: [row.id], attempts: row.attempts })],
    settle: (['accepted', 'failed', 'unknown', 'queued'] as const).map(
      state => (row: MessageRow) => one.settle(outcome(row, to(state)))
    ),
    undoAttempt: [row => one.undoAttempt({ ...row, entry })],
    settleLate: (['accepted', 'failed'] as const).map(
      state => (row: MessageRow) => one.settleLate(outcome(row, to(state)))
    ),
    settleWaiting: (['accepted', 'failed'] as const).map(
      state => (row: MessageRow) => one.settleWaiting(outcome(row, to(state)))
    ),
    release: (['queued', 'failed', 'unknown'] as const).map(
      state => (row: MessageRow) => one.release({ ...row, ...to(state), entry })
    ),
    withdraw: [row => one.withdraw(row)],
    reopen: [row => one.reopen(row)],
    redirect: [row => one.redirect({ ...row, entry, lease_ms: 1000 })],
    cancel: [row => one.cancel({ ...row, entry })],
    claim: [row => queue.claim({ queue: row.queue, limit: 1, lease_ms: 1000 })],
    expireDue: [() => queue.expireDue({ entry })],
    requeue: [row => queue.requeue({ id: row.id, lease })],
    forget: [row => queue.forget({ id: row.id, attempts: row.attempts, error: '{}', entry })],
    doubtAll: [row => queue.doubtAll({ ids: [row.id], attempts: row.attempts, error: '{}', entry })],
    again: [row => doubt.again({ id: row.id, attempts: row.attempts, error: null, delay_ms: 0, entry })],
    confirm: [row => doubt.confirm({ id: row.id, at: past, entry })],
    close: [row => doubt.close({ id: row.id, resolution: 'abandoned', entry })],
    supersede: [row => doubt.supersede({ id: row.id, entry })],
    overdue: [() => doubt.overdue({ before_ms: 0, entry })],
    advance: Object.values(advances).map(
      query => (row: MessageRow) => query({ ...word, ...{ id: row.id, attempts: 1 } })
    ),
    fill: [row => fill({ ...word, id: row.id })],
    fall: [row => fall({ ...row, entry })],
    rise: [row => rise(row)],
    dropMessages: [() => many.dropMessages({ id: broadcast_id })],
    cancelSome: [() => many.cancelSome({ id: broadcast_id, entry })],
    retry: [row => many.retry({ ids: [row.id], run_at: past, expires_at: lease, entry })]
  }
}
/** Each statement that makes a message, and as what. */
function births(store: Store): Record<string, ((row: MessageRow) => Compilable | CompiledQuery)[]> {
  const { insert, insertHeard } = messageTransitions(store)
  const { addMessages } = broadcastTransitions(store)
  const of = { broadcast_id, template: 'order_update' }
  return {
    insert: (['queued', 'claimed', 'sending'] as const).map(
      state => (row: MessageRow) => insert({ ...row, state, lease_ms: 1000 })
    ),
    insertHeard: (['received', 'sent'] as const).map(state => (row: MessageRow) => insertHeard({ ...row, state })),
    addMessages: [
      row => addMessages({ ...row, ...of, rows: JSON.stringify([[row.id, '14155551234', '{}', null]]) }),
      row => addMessages({ ...row, ...of, rows: JSON.stringify([[row.id, '14155551234', '{}', null, '{}']]), entry })
    ]
  }
}

const compiled = (query: Compilable | CompiledQuery): CompiledQuery => ('compile' in query ? query.compile() : query)

/** What a statement does to a message in each state: "from → to", the same state twice where only `final` changed. */
function effectsOf(store: Store, run: Run): Promise<Set<string>> {
  const { build } = store
  const cases = states.flatMap(state =>
    ([null, 'resent_once', 'resent'] as const).flatMap(resolution =>
      ([{}, { final: 1 }, { expires_at: past }] as const).map(changes =>
        message({ state, resolution, lease_until: lease, attempts: 1, broadcast_id, ...changes })
      )
    )
  )
  return store.write(function* () {
    const seen = new Set<string>()
    for (const row of cases) {
      // Sent anew is told of an unknown one alone.
      if (row.resolution === 'resent' && row.state !== 'unknown') continue
      yield build.deleteFrom('messages').compile()
      yield build.insertInto('messages').values(row).compile()
      yield compiled(run(row))
      const [after] = yield* all(build.selectFrom('messages').select(['state', 'final']))
      if (!after) seen.add(`${row.state} → gone`)
      else if (after.state !== row.state || after.final !== row.final) seen.add(`${row.state} → ${after.state}`)
    }
    return seen
  })
}

/** The arrows of the page, by statement; `any` stands for every state. */
function drawn(page: string): Map<string, Set<string>> {
  const arrows = new Map<string, Set<string>>()
  for (const [, from, to, names] of page.matchAll(/^ {2}(\S+) --> (\S+): (.+)$/gm))
    for (const name of names!.split(', ')) {
      const all = arrows.get(name) ?? new Set()
      for (const each of from === 'any' ? states : [from === '[*]' ? 'new' : from])
        all.add(`${each} → ${to === '[*]' ? 'gone' : to}`)
      arrows.set(name, all)
    }
  return arrows
}
const sorted = (arrows: Map<string, Set<string>>): Record<string, string[]> =>
  Object.fromEntries(
    [...arrows]
      .filter(([, all]) => all.size > 0)
      .map(([name, all]) => [name, [...all].sort()] as const)
      .sort()
  )

/** The argument of the first `.set(` in a text. */
function setBy(text: string): string | undefined {
  const from = text.indexOf('.set(')
  if (from < 0) return undefined
  let depth = 0
  for (let i = from + 4; i < text.length; i++) {
    depth += text[i] === '(' ? 1 : text[i] === ')' ? -1 : 0
    if (depth === 0) return text.slice(from + 5, i).trim()
  }
  return undefined
}
/** What in a source may change a state: makes or deletes messages, or updates that set it or hide what they set. */
function stray(text: string): string[] {
  const made = text.matchAll(/(?:insertInto|deleteFrom|mergeInto)\('messages'|(?:insert into|delete from) messages\b/gi)
  const updates = [...text.matchAll(/updateTable\('messages'/g)].filter(({ index }) => {
    const set = setBy(/[\s\S]+?(?=\n\n|prepare<|$(?![\s\S]))/.exec(text.slice(index))![0])
    return !set?.startsWith('{') || /\b(?:state|final)\b|\.\.\./.test(set)
  })
  const raw = text.matchAll(/update messages\s+set(?:(?!where\b|`)[\s\S])*\b(?:state|final)\s*=/gi)
  return [...made, ...updates, ...raw].map(({ index }) => text.slice(index, index + 100).replace(/\s+/g, ' '))
}

t.test('what each statement does to a message in each state is what docs/message-states.md draws', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'switchboard-transitions-'))
  const store = await openStore({ directory }, pino({ level: 'silent' }))
  t.teardown(async () => {
    await store.close()
    await rm(directory, { recursive: true })
  })
  const page = readFileSync('docs/message-states.md', 'utf8')
  const made = new Map<string, Set<string>>()
  for (const [name, runs] of Object.entries(statements(store))) {
    const all = new Set<string>()
    for (const run of runs) for (const effect of await effectsOf(store, run)) all.add(effect)
    made.set(name, all)
  }
  for (const [name, runs] of Object.entries(births(store))) {
    const all = new Set<string>()
    for (const run of runs) {
      await store.write(function* () {
        yield store.build.deleteFrom('messages').compile()
        yield compiled(run(message()))
      })
      for (const { state } of await store.read(store.build.selectFrom('messages').select('state').compile()))
        all.add(`new → ${state}`)
    }
    made.set(name, all)
  }
  const rows = [...page.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, names]) =>
    [...names!.matchAll(/`(\w+)`/g)].map(([, name]) => name!)
  )

  t.strictSame(sorted(made), sorted(drawn(page)), 'the picture')
  t.strictSame(rows.sort(), [...made.keys()].sort(), 'the table names each statement once')
  const known = [messageTransitions, queueTransitions, doubtTransitions, broadcastTransitions].flatMap(of =>
    Object.keys(of(store))
  )
  const provider = Object.keys(providerTransitions(store)).map(name => (name === 'advances' ? 'advance' : name))
  t.strictSame([...known, ...provider].sort(), [...made.keys()].sort(), 'each statement was run')

  t.notSame(
    sorted(made),
    sorted(drawn(page.replace('failed --> queued: retry\n', ''))),
    'POSITIVE CONTROL: an arrow less'
  )
  t.notSame(
    sorted(made),
    sorted(drawn(page.replace('queued --> claimed: claim', 'canceled --> claimed: claim'))),
    'POSITIVE CONTROL: a wrong arrow'
  )
  const broken: Run = row => store.build.updateTable('messages').set({ state: 'queued' }).where('id', '=', row.id)
  t.ok((await effectsOf(store, broken)).has('delivered → queued'), 'POSITIVE CONTROL: a statement without its where')
})

t.test('nothing outside of src/messages/transitions changes the state of a message', async t => {
  const files = globSync('{src,routes}/**/*.ts').filter(file => !/^src\/(messages\/transitions|sandbox)\//.test(file))
  t.ok(files.length > 200, `${files.length} files`)
  const found = files.flatMap(file => stray(readFileSync(file, 'utf8')).map(text => `${file}: ${text}`))
  // Rows that ended long ago go as a whole; the store's own room cannot reach ours.
  const forgotten = /^src\/store\/row-retention\.ts: deleteFrom\('messages'\)/
  t.equal(found.filter(text => forgotten.test(text)).length, 1, 'the one deletion of what has ended')
  t.strictSame(
    found.filter(text => !forgotten.test(text)),
    []
  )

  const inside = globSync('src/messages/transitions/*.ts').flatMap(file => stray(readFileSync(file, 'utf8')))
  t.ok(inside.length > 20, `POSITIVE CONTROL: ${inside.length} are found where they may stand`)
  const caught = [
    `build.updateTable('messages').set({ run_at: 1, state: 'queued' }).where('id', '=', id)`,
    `build.updateTable('messages').set({ ...next }).where('id', '=', id)`,
    `build.updateTable('messages').set(next).where('id', '=', id)`,
    `build.updateTable('messages').where('id', '=', id)`,
    `build.insertInto('messages').values(row)`,
    `build.deleteFrom('messages').where('id', '=', id)`,
    'sql`update messages set state = 1 where id = 2`',
    'sql`insert into messages (id) values (1)`'
  ]
  for (const text of caught) t.equal(stray(text).length, 1, `POSITIVE CONTROL: ${text}`)
  for (const text of [
    `build.updateTable('messages').set({ run_at: p.run_at }).where('id', '=', p.id).where('state', '=', 'queued')`,
    `build.updateTable('media').set({ state: 1 }).where('id', '=', 1)`,
    "`update messages set queue = mode where state in ('queued')`"
  ])
    t.strictSame(stray(text), [], text)
})
