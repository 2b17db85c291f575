import { until } from '../until.ts'
import { actsOf } from './broadcaster.ts'
import { allowedTo, type Judgement, judge } from './check.ts'
import type { Act, Arrival } from './history.ts'
import { startLoad } from './load.ts'
import { type BlowName, leaseMs, mixes, reapMs, seasonProvider, strike } from './nemesis.ts'
import { createRandom } from './random.ts'
import { type RigOptions, startRig } from './rig.ts'
import { readRows, undelivered, unread } from './rows.ts'

export interface TortureOptions {
  store: 'sqlite' | 'postgres'
  seed: number
  /** Blows that are drawn by the seed; or the very blows. */
  rounds: number | BlowName[]
  broken?: string | undefined
  replicas?: number
  clients?: number
  /** Only double sends are looked for: the first one ends it, nothing has to come to rest, and nobody asks twice. */
  hasty?: boolean
  say?: (line: string) => void
}

export interface TortureResult extends Judgement {
  blows: Partial<Record<BlowName, number>>
  seconds: number
}

/** After the load every message comes to rest: leases run out, delays pass, pauses end. */
const settleMs = 2 * (leaseMs + reapMs) + 90_000
const replays = 300

const doubled = (arrivals: readonly Arrival[], acts: readonly Act[]): boolean => {
  const left = allowedTo(acts)
  for (const { to, processed } of arrivals) if (processed) left.set(to, (left.get(to) ?? 0) - 1)
  return [...left.values()].some(times => times < 0)
}

/** One run from the first message to the verdict. */
export async function torture(options: TortureOptions): Promise<TortureResult> {
  const { store, seed, rounds, say = () => {}, clients = 8, hasty = false } = options
  const begun = performance.now()
  const random = createRandom(seed)
  // Drawn first: how long a run is must not change what happens in it.
  const [plan, network, provider, callers] = [random.fork(), random.fork(), random.fork(), random.fork()]
  const rigOptions: RigOptions = { store, random: network, broken: options.broken, hearing: true }
  const rig = await startRig({ ...rigOptions, ...(options.replicas && { replicas: options.replicas }) })
  try {
    // One after the other: the first one makes the tables.
    for (const replica of rig.replicas) await replica.start()
    await rig.introduce()
    const urls = rig.replicas.map(({ url }) => url)
    const load = startLoad({ urls, random: callers, clients, patient: !hasty, broadcasts: true })
    const calm = seasonProvider(rig, provider, {
      messages: () => load.acts.length,
      broadcasts: () => load.broadcasts.length
    })
    const found = async (): Promise<boolean> =>
      doubled((await rig.arrivals()).all, [...load.acts, ...load.broadcasts.flatMap(actsOf)])
    const blows: TortureResult['blows'] = {}
    const names: (BlowName | undefined)[] = typeof rounds === 'number' ? Array(rounds).fill(undefined) : rounds
    for (const [i, given] of names.entries()) {
      const name = given ?? plan.weighted<BlowName>(mixes[store])
      blows[name] = (blows[name] ?? 0) + 1
      await strike(rig, plan, name)
      say(
        `round ${i + 1} of ${names.length}: ${name}, ${load.acts.length} messages and ${load.broadcasts.length} broadcasts so far`
      )
      if (hasty && (await found())) break
    }
    rig.proxy.faults = {}
    await calm()
    const atRest = () =>
      until(
        () => rig.unsettled().catch(() => -1),
        left => left === 0,
        settleMs
      ).catch(error => say(`not at rest: ${error.message}`))
    await load.stop()
    if (hasty) await until(found, yes => yes, 15_000).catch(error => say(error.message))
    else {
      await atRest()
      await load.replay(replays)
      await atRest()
      // What is told last may still send something: a fallback, or one more attempt.
      await rig.postman!.idle().catch(error => say(`not all was acknowledged: ${error.message}`))
      await until(
        () => unread(rig.query),
        left => left === 0,
        60_000
      ).catch(error => say(`not all was read: ${error.message}`))
      await atRest()
      await rig.postman!.idle()
      await until(
        () => undelivered(rig.query),
        left => left === 0,
        90_000
      ).catch(error => say(`not all was posted: ${error.message}`))
    }
    await load.close()
    const { all: arrivals, dropped } = await rig.arrivals()
    const storeFaults = store === 'postgres'
    const judgement = judge({
      acts: load.acts,
      broadcasts: load.broadcasts,
      sights: load.sights,
      journal: await rig.journal(),
      arrivals,
      dropped,
      storeFaults,
      ...(!hasty && {
        heard: {
          told: rig.postman!.acknowledged,
          rows: await readRows(rig.query, store),
          posted: rig.subscriber!.posted
        }
      })
    })
    say(`faults of the network: ${JSON.stringify(rig.proxy.played)}`)
    return { ...judgement, blows, seconds: Math.round((performance.now() - begun) / 1000) }
  } finally {
    await rig.close()
  }
}
