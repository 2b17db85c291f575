import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { CompiledQuery, sql } from 'kysely'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { Verdict } from '../../src/adapters/adapter.ts'
import { createOutcomes } from '../../src/delivery/sending/outcome.ts'
import { createReaper } from '../../src/delivery/sending/reaper.ts'
import { blockKey, blockKeysOf, blockQueries } from '../../src/messages/blocks.ts'
import { inDoubt, unknownQueries } from '../../src/messages/doubt.ts'
import { type MessageQueries, messageQueries } from '../../src/messages/queries.ts'
import { queueQueries } from '../../src/messages/queue.ts'
import { unsuppressed } from '../../src/messages/suppressed.ts'
import { createMetrics } from '../../src/metrics.ts'
import { migrate } from '../../src/store/migrations.ts'
import type { MessageRow } from '../../src/store/schema.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { all, change, type Store } from '../../src/store/store.ts'
import { line, message } from '../conformance/store-rows.ts'
import * as model from './model.ts'

// The real statements, on a real database, against the model: any order of steps by two processes, their deaths, pauses
// and doubtful commits. What fails is shrunk to the shortest history.

const day = 24 * 3600_000
const leaseMs = 20_000
const log = pino({ level: 'silent' })
const verdicts: Record<Exclude<model.End, 'accepted'>, Verdict> = {
  unknown: {
    code: 'outcome_unknown',
    outcome: 'unknown',
    later: false,
    detail: '',
    provider: { name: 'x', status: 0 }
  },
  failed: {
    code: 'message_rejected',
    outcome: 'not_sent',
    later: false,
    detail: '',
    provider: { name: 'x', status: 0 }
  },
  later: { code: 'rate_limited', outcome: 'not_sent', later: true, detail: '', provider: { name: 'x', status: 0 } }
}

const hand = fc.integer({ min: 0, max: 1 })
/** What a process does next with the message, and what comes of it if that is the call. */
const go = fc.record({
  op: fc.constant('go' as const),
  hand,
  taken: fc.boolean(),
  seen: fc.boolean(),
  later: fc.boolean()
})
const of = <O extends string>(...ops: O[]) => fc.record({ op: fc.constantFrom(...ops) })
const steps = fc.oneof(
  { weight: 24, arbitrary: go },
  { weight: 6, arbitrary: of('pass', 'reap') },
  // Committed, and the process is told that it was not: it keeps the result and offers it again.
  { weight: 5, arbitrary: fc.record({ op: fc.constantFrom('settleDoubtful', 'crash', 'release'), hand }) },
  { weight: 2, arbitrary: of('cancel', 'expire', 'stop', 'confirm', 'abandon') }
)
type Step = typeof steps extends fc.Arbitrary<infer T> ? T : never

interface World {
  store: Store
  queries: MessageQueries
  /** The database's clock, which the steps turn. */
  turn: (ms: number) => Promise<void>
}

async function openWorld(t: Test): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-model-'))
  // Nothing is lost here by not waiting for the disk, and thousands of histories want to be had.
  const real = openSqlite(directory, (_, done) => done(null))
  t.teardown(async () => {
    await real.close()
    rmSync(directory, { recursive: true, force: true })
  })
  await migrate(real)
  const run = (text: string) =>
    real.write(function* () {
      yield CompiledQuery.raw(text)
    })
  await run('create table clock (at integer not null) strict')
  await run(`insert into clock values (${Date.now()})`)
  const store: Store = { ...real, now: sql<number>`(select at from clock)` }
  return { store, queries: messageQueries(store), turn: ms => run(`update clock set at = at + ${ms}`) }
}

/** A statement without one of its conditions. */
function blind<K extends 'settle' | 'dispatch' | 'cancel' | 'release' | 'settleLate'>(
  { store, queries, turn }: World,
  name: K,
  condition: string
): World {
  const without = (query: CompiledQuery): CompiledQuery => {
    const at = query.sql.lastIndexOf(condition)
    if (at < 0) throw new Error(`${name} has no ${condition}: ${query.sql}`)
    const marks = condition.split('?').length - 1
    const holds = marks === 0 ? '1 = 1' : Array(marks).fill('coalesce(?, 1) is not null').join(' and ')
    return { ...query, sql: query.sql.slice(0, at) + holds + query.sql.slice(at + condition.length) }
  }
  return { store, turn, queries: { ...queries, [name]: (p: never) => without(queries[name](p)) } }
}

/** One history, on the database and in the model; throws where the two differ, or where a promise is broken. */
async function live({ store, queries, turn }: World, once: boolean, history: readonly Step[]): Promise<void> {
  const queue = queueQueries(store)
  const blocks = blockQueries(store)
  const unknown = unknownQueries(store)
  const outcomes = createOutcomes(store, queries, '')
  const reaper = createReaper({ store, queries, queue, log, metrics: createMetrics(), typeBase: '', timeoutMs: 5000 })
  const write = (query: CompiledQuery) => store.write(() => change(query))
  const [{ at }] = (await store.read(CompiledQuery.raw('select at from clock'))) as [{ at: number }]
  const row = message({ expires_at: at + day, options: once ? '{"onUnknown":"resend_once"}' : null })
  const { id } = row
  await store.write(function* () {
    yield CompiledQuery.raw('delete from messages')
    yield blocks.lift({ key: blockKey.hold })
    yield queries.insert({ ...row, lease_ms: 0 })
  })
  const m = model.newModel(once)
  const held: (MessageRow | undefined)[] = [undefined, undefined]
  const is = () => store.read(queries.byId({ id })).then(rows => rows[0]!)
  let before = await is()

  /** What an attempt's end makes of the row that the process has. */
  const ended = (h: number): MessageRow => {
    const { end } = m.hands[h]!
    const mine = held[h]!
    return end === 'accepted'
      ? outcomes.accepted(mine, { providerMessageId: 'x', warnings: [] }, [])
      : outcomes.judged(mine, verdicts[end!])
  }
  const claim = async (h: number): Promise<void> => {
    // Whatever it waited for is over.
    await store.write(function* () {
      yield CompiledQuery.raw(`update messages set run_at = 0 where state = 'queued'`)
    })
    const [taken] = await store.write(() => all(queue.claim({ queue: line, limit: 1, lease_ms: leaseMs })))
    model.claim(m, h)
    held[h] = taken
    if ((taken === undefined) !== (m.hands[h] === undefined)) throw new Error('claimed, or not, against the model')
  }
  const dispatch = async (h: number): Promise<void> => {
    const mine = held[h]!
    const next = mine.attempts + 1
    const turn = { id, attempts: mine.attempts, next, lease_ms: leaseMs, entry: '{}\n' }
    const sent = await write(queries.dispatch({ ...turn, ...blockKeysOf(mine), ...unsuppressed }))
    model.dispatch(m, h)
    held[h] = { ...mine, state: 'sending', attempts: next }
    if (sent > 0 !== (m.hands[h] !== undefined)) throw new Error(`dispatched ${sent}, against the model`)
  }
  const settle = async (h: number, doubtful: boolean): Promise<void> => {
    await store.write(() => outcomes.settle(ended(h), null, undefined))
    model.settle(m, h)
    if (!doubtful) m.hands[h] = undefined
  }
  const act = async (step: Step): Promise<boolean> => {
    const h = 'hand' in step ? step.hand : 0
    const stage = m.hands[h]?.stage
    switch (step.op) {
      case 'go':
        if (stage === undefined) await claim(h)
        else if (stage === 'claimed') await dispatch(h)
        else if (stage === 'sending') model.write(m, h, step as never)
        else await settle(h, false)
        return true
      case 'settleDoubtful':
        if (stage === 'told') await settle(h, true)
        return stage === 'told'
      case 'release': {
        if (stage !== 'claimed') return false
        const next = inDoubt({ ...held[h]!, state: 'failed', final: 1, failed_at: 1 }, 1, '')
        await write(queries.release({ ...next, entry: '{}\n' }))
        model.release(m, h)
        return true
      }
      case 'crash':
        m.hands[h] = undefined
        return stage !== undefined
      case 'pass':
        await turn(leaseMs + 1)
        model.pass(m)
        return true
      case 'reap':
        await reaper.reap(false)
        model.reap(m)
        return true
      case 'cancel':
        await write(queries.cancel({ id, entry: '{}\n', doubt: '{}\n' }))
        model.cancel(m)
        return true
      case 'expire':
        await turn(day)
        m.expired = true
        model.pass(m)
        await reaper.expire()
        model.expire(m)
        return true
      case 'stop':
        m.stopped = !m.stopped
        await write(
          m.stopped ? blocks.stop({ key: blockKey.hold, detail: '', at: 1 }) : blocks.lift({ key: blockKey.hold })
        )
        return true
      case 'confirm':
      case 'abandon':
        await write(
          step.op === 'confirm'
            ? unknown.confirm({ id, at: 1, entry: '{}\n' })
            : unknown.close({ id, resolution: 'abandoned', entry: '{}\n' })
        )
        model.resolve(m, step.op === 'confirm')
        return true
    }
  }

  for (const [i, step] of history.entries()) {
    if (!(await act(step))) continue
    await turn(1)
    const after = await is()
    const shown = { state: after.state, final: after.final === 1, attempts: after.attempts }
    const meant = { state: m.state, final: m.final, attempts: m.attempts }
    const fault =
      JSON.stringify(shown) !== JSON.stringify(meant)
        ? `is ${JSON.stringify(shown)}, not ${JSON.stringify(meant)}`
        : broken(m, before, after)
    if (fault) throw new Error(`after step ${i}, ${step.op}: ${fault}`)
    before = after
  }
}

/** The promises, by the row and what the provider did; undefined: all are kept. */
function broken(m: model.Model, before: MessageRow, after: MessageRow): string | undefined {
  if (m.taken > (m.once ? 2 : 1)) return `the provider took it ${m.taken} times`
  if (after.attempts < before.attempts) return 'attempts went back'
  // Truth that comes late settles even what was let be; nothing else changes what is final.
  if (before.final && !after.final && !(before.state === 'unknown' && after.state === 'accepted'))
    return 'not final now'
  if (before.final && before.state !== 'unknown' && after.state !== before.state) return `${before.state} is changed`
  if (after.state === 'unknown' || after.state === 'accepted' || !after.final) {
    return after.state === 'accepted' && m.taken === 0 && !m.confirmed ? 'accepted, and not taken' : undefined
  }
  return m.taken > 0 ? `${after.state}, and taken` : undefined
}

const property = (world: World) =>
  fc.asyncProperty(fc.boolean(), fc.array(steps, { minLength: 8, maxLength: 30, size: 'max' }), (once, history) =>
    live(world, once, history)
  )
const seed = 20261120

t.test('any history of a message ends as the model says, and breaks no promise', async t => {
  const world = await openWorld(t)
  await fc.assert(property(world), { seed, numRuns: 400 })
})

const step = (hand: number): Step => ({ op: 'go', hand, taken: false, seen: true, later: true })
/** The first one sleeps behind its claim while the second one is put off and claims anew: too rare to wait for. */
const asleep: Step[] = [step(0), { op: 'pass' }, { op: 'reap' }, ...Array.from({ length: 5 }, () => step(1)), step(0)]

t.test('POSITIVE CONTROL: a statement without one of its guards is found', async t => {
  const world = await openWorld(t)
  // Each with a seed that finds it soon.
  const blinded: [name: string, world: World, seed: number][] = [
    ['settle without the attempt', blind(world, 'settle', '"attempts" = ?'), 8],
    ['settleLate without the state', blind(world, 'settleLate', `"state" = 'unknown'`), 2],
    ['settleLate without the attempt', blind(world, 'settleLate', '"attempts" = ?'), 1],
    ['dispatch without the lease', blind(world, 'dispatch', '"lease_until" > (select at from clock)'), 12],
    ['dispatch without the attempt', blind(world, 'dispatch', '"attempts" = ?'), 1],
    ['cancel of what is being sent', blind(world, 'cancel', `"state" in ('queued', 'claimed')`), 1],
    ['release of another’s claim', blind(world, 'release', '"lease_until" = coalesce(?, "lease_until")'), 7]
  ]
  for (const [name, bad, seed] of blinded) {
    const examples: [boolean, Step[]][] = name.startsWith('dispatch without the att') ? [[false, asleep]] : []
    const result = await fc.check(property(bad), { seed, numRuns: 3000, endOnFailure: true, examples })
    t.match((result.errorInstance as Error | null)?.message, /^after step|against the model$/, name)
    t.comment(`${name}: found after ${result.numRuns} histories`)
  }
  await t.resolves(live(world, false, asleep), 'with all its guards that history is like any other')
})
