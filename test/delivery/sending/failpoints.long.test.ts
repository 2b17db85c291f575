import t from 'tap'
import { request } from 'undici'
import { type Failpoint, failpoints } from '../../../src/failpoints.ts'
import { judge } from '../../torture/check.ts'
import type { Act, Sight } from '../../torture/history.ts'
import { createRandom } from '../../torture/random.ts'
import { adminKey } from '../../torture/replica.ts'
import { startRig } from '../../torture/rig.ts'
import { until } from '../../until.ts'

// The process dies at one step of a message's life, and the next one has to make the best of what is left. What may have
// left is unknown, whether it did or not; what cannot have left is sent.

interface Case {
  /** The message waits for a moment first, so that it goes the way of the queue. */
  waits?: true
  /** What it becomes, and how often the provider took it. */
  becomes: 'accepted' | 'unknown'
  taken: 0 | 1
}
const cases: Record<Failpoint, Case> = {
  after_insert: { becomes: 'unknown', taken: 0 },
  after_claim: { waits: true, becomes: 'accepted', taken: 1 },
  after_slot: { waits: true, becomes: 'accepted', taken: 1 },
  after_dispatch_commit: { becomes: 'unknown', taken: 0 },
  after_write: { becomes: 'unknown', taken: 1 },
  after_response: { becomes: 'unknown', taken: 1 },
  before_result_commit: { becomes: 'unknown', taken: 1 },
  after_result_commit: { becomes: 'accepted', taken: 1 }
}

t.test('a process that dies anywhere leaves what the next one can settle, and nothing is sent twice', async t => {
  const rig = await startRig({ store: 'sqlite', random: createRandom(1), direct: true })
  t.teardown(() => rig.close())
  const [replica] = rig.replicas
  const acts: Act[] = []
  const sights: Sight[] = []
  const begun = performance.now()
  const now = () => performance.now() - begun
  const ask = async (act: Act) => {
    const from = now()
    try {
      const answer = await request(`${replica!.url}/messages`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${adminKey}`,
          'content-type': 'application/json',
          'idempotency-key': act.key!
        },
        body: JSON.stringify(act.body)
      })
      const { id, status, outcome } = (await answer.body.json()) as { id: string; status: string; outcome?: string }
      act.attempts.push({
        from,
        until: now(),
        status: answer.statusCode,
        ...(outcome ? { outcome } : { id, told: status })
      })
    } catch {
      act.attempts.push({ from, until: now(), error: 'cut' })
    }
    return act.attempts.at(-1)!
  }

  const paths = failpoints.flatMap(point => [
    { point, ...cases[point] },
    // On the way of the queue the steps end alike: only what comes before the dispatch differs.
    ...(point === 'after_dispatch_commit' ? [{ point, ...cases[point], waits: true as const }] : [])
  ])
  for (const [i, { point, waits, becomes, taken }] of paths.entries())
    await t.test(`${point}${waits ? ' of a message that waited' : ''}: ${becomes}, taken ${taken} times`, async t => {
      const to = `4917${String(i).padStart(8, '0')}`
      const text = { channel: i % 2 ? 'wati' : 'cloud', to, type: 'text', text: { body: point } }
      if (!replica!.alive()) await replica!.start({ CRASH_AT: point })
      t.ok(replica!.alive(), 'it does not die before')
      const act: Act = {
        to,
        key: `${point}-${i}`,
        body: waits ? { ...text, sendAt: new Date(Date.now() + 3000).toISOString() } : text,
        attempts: []
      }
      acts.push(act)
      const first = await ask(act)
      await until(replica!.alive, alive => !alive)
      t.match(first, waits ? { status: 202, told: 'queued' } : { error: 'cut' })
      // Where what is left sends nothing, the process that settles it can be the one that dies next: starts are dear.
      const next = becomes === 'accepted' && taken === 1 && waits ? undefined : paths[i + 1]?.point
      await replica!.start(next && { CRASH_AT: next })
      await until(rig.unsettled, left => left === 0)
      const row = (await rig.journal()).find(row => row.to === to)
      t.match(row, { status: becomes })
      const again = await ask(act)
      t.match(again, { id: row!.id, status: waits ? 202 : becomes === 'accepted' ? 201 : 202 }, 'its key sends nothing')
      const { all } = await rig.arrivals()
      t.equal(all.filter(one => one.to === to && one.processed).length, taken)
      if (!next) await replica!.kill()
    })

  await replica!.start()
  const { all: arrivals, dropped } = await rig.arrivals()
  t.strictSame(judge({ acts, sights, journal: await rig.journal(), arrivals, dropped }).violations, [])
})
