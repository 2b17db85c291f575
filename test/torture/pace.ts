import { until } from '../until.ts'
import { startLoad } from './load.ts'
import { createRandom } from './random.ts'
import { startRig } from './rig.ts'

/** Calls that the Maton account allows in any second. */
export const rate = 10

export interface Pace {
  /** Calls that arrived, and from the first to the last in seconds. */
  calls: number
  seconds: number
  /** The most in any sliding second. */
  most: number
  /** Share of the rate that was used while there was always something to send. */
  used: number
}

/** What a list of arrivals (milliseconds) says of the pace. */
export function paceOf(arrivals: readonly number[]): Pace {
  const times = [...arrivals].sort((a, b) => a - b)
  let most = 0
  let first = 0
  for (const [i, at] of times.entries()) {
    // A window of a second is half open: calls exactly a second apart are not in one.
    while (at - times[first]! >= 1000) first++
    most = Math.max(most, i - first + 1)
  }
  const seconds = times.length > 1 ? (times.at(-1)! - times[0]!) / 1000 : 0
  // The first one opens the time, so it does not count as one that the time allowed.
  return { calls: times.length, seconds, most, used: seconds === 0 ? 0 : (times.length - 1) / seconds / rate }
}

export interface PaceOptions {
  store: 'sqlite' | 'postgres'
  seed: number
  seconds: number
  say?: (line: string) => void
}

/** All replicas together send as fast as they may for a while; the provider's record tells how fast that was. */
export async function measurePace({ store, seed, seconds, say = () => {} }: PaceOptions): Promise<Pace> {
  const random = createRandom(seed)
  const env = { MATON_RATE_PER_SECOND: String(rate) }
  const rig = await startRig({ store, random, direct: true, env })
  try {
    for (const replica of rig.replicas) await replica.start()
    const load = startLoad({ urls: rig.replicas.map(({ url }) => url), random: random.fork(), clients: 20 })
    const since = Date.now()
    const begun = performance.now()
    await until(
      async () => {
        say(`${(await rig.calls()).length} calls, ${load.acts.length} messages asked for`)
        await new Promise(resolve => setTimeout(resolve, 1000))
        return performance.now() - begun
      },
      passed => passed > seconds * 1000,
      seconds * 1000 + 30_000
    )
    const calls = await rig.calls()
    // What is still waiting stays where it is: the run is over, and nothing of it is judged but the pace.
    void load.stop()
    // What a replica asks of its own when it starts leaves most of the rate unused, and is no backlog.
    return { ...paceOf(calls.filter(at => at >= since)), most: paceOf(calls).most }
  } finally {
    await rig.close()
  }
}
