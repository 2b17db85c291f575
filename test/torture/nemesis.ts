import { broadcastFailpoints, webhookFailpoints } from '../../src/failpoints.ts'
import { until } from '../until.ts'
import type { Random } from './random.ts'
import type { Rig } from './rig.ts'

// What befalls a run, one blow a round. Every blow leaves all replicas running.

const rest = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Lease of a dispatch (docs/reliability.md 3.1 rule 3) with the deadline of these runs, and the reaper's interval. */
export const leaseMs = 1000 + 15_000
export const reapMs = 5000

/** Faults that the provider plays by itself, by how common they are. Those that stop a whole account are rare. */
const providerFaults = {
  reset_after: 6,
  reset_before: 6,
  bad_gateway_html: 4,
  gateway_timeout: 3,
  error_500: 3,
  unavailable: 3,
  throttled_once: 4,
  content_refused: 4,
  not_on_whatsapp: 4,
  window_closed: 3,
  failure_inside_200: 3,
  empty_200: 3,
  html_200: 2,
  no_id: 3,
  cut: 3,
  silent: 2,
  slow: 2,
  dribble: 1,
  redirect: 1,
  pair_limit: 1,
  locked: 1,
  maton_throttled: 0.5,
  maton_unauthorized: 0.3
}

/** About one in so many messages meets a fault of the provider's, whatever the pace; and so of broadcasts one of their calls. */
const every = { messages: 9, broadcasts: 4 }

/** Orders a fault with every few messages, and with every few broadcasts one for many messages in one call, until it is stopped. */
export function seasonProvider(
  rig: Rig,
  random: Random,
  counts: { messages: () => number; broadcasts: () => number }
): () => Promise<void> {
  let stopped = false
  const season = async (own: Random, what: keyof typeof counts, operation: () => string): Promise<void> => {
    for (let next = 0; !stopped; ) {
      await rest(20)
      if (counts[what]() < next) continue
      next = counts[what]() + own.whole(1, 2 * every[what])
      await rig.fault(own.weighted<string>(providerFaults), operation())
    }
  }
  const loops = [
    season(random, 'messages', () => (random.chance(0.5) ? 'wati.*' : 'cloud.*')),
    season(random.fork(), 'broadcasts', () => 'wati.sendTemplateMessagesV2')
  ]
  return async () => {
    stopped = true
    await Promise.all(loops)
    await rig.clearFaults()
  }
}

/** The network of the next while: 8 to 18 % of the requests meet a fault. */
function weather(rig: Rig, random: Random): void {
  const all = 0.08 + random.next() * 0.1
  const parts = { reset_before: 2, reset_after: 3, delay: 3, drip: 1, half_open: 2, truncate: 2 }
  const sum = Object.values(parts).reduce((a, b) => a + b)
  rig.proxy.faults = Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, (all * part) / sum]))
}

type Blow = (rig: Rig, random: Random) => Promise<void>

const one = (rig: Rig, random: Random) => rig.replicas[random.whole(0, rig.replicas.length - 1)]!

/** Stops a replica for so long and lets it go on. */
const pause =
  (from: number, to: number): Blow =>
  async (rig, random) => {
    const replica = one(rig, random)
    replica.pause()
    await rest(random.whole(from, to))
    replica.resume()
  }

/** It dies at one of these steps, early in its next life or later. */
const diesAt =
  (points: readonly string[], most: number): Blow =>
  async (rig, random) => {
    const replica = one(rig, random)
    await replica.kill()
    const point = points[random.whole(0, points.length - 1)]!
    replica.spawn({ CRASH_AT: `${point}:${random.whole(1, most)}` })
    await until(replica.alive, alive => !alive, 8000).catch(() => replica.kill()) // it did not come by so often
    await replica.start()
  }

const blows = {
  kill: async (rig, random) => {
    const replica = one(rig, random)
    await replica.kill()
    if (rig.replicas.length > 1) await rest(random.whole(0, 1000))
    await replica.start()
  },
  /** Again while it starts: what an earlier life left is being settled then. */
  killTwice: async (rig, random) => {
    const replica = one(rig, random)
    await replica.kill()
    replica.spawn()
    await rest(random.whole(100, 700))
    await replica.kill()
    await replica.start()
  },
  killAll: async rig => {
    await Promise.all(rig.replicas.map(replica => replica.kill()))
    await Promise.all(rig.replicas.map(replica => replica.start()))
  },
  /** On the way of a webhook from its insert to the commit of its effects. */
  readerDies: diesAt(webhookFailpoints, 20),
  /** Between the commit that makes a broadcast and its answer. */
  broadcastDies: diesAt(broadcastFailpoints, 2),
  restart: async (rig, random) => {
    const replica = one(rig, random)
    await replica.end()
    await replica.start()
  },
  pause: pause(100, 1500),
  /** Longer than any lease: everybody else takes it for dead, and then it wakes. */
  sleep: pause(leaseMs + reapMs + 1000, leaseMs + reapMs + 4000),
  refuse: async (rig, random) => {
    await rig.proxy.refuse(true)
    await rest(random.whole(200, 1500))
    await rig.proxy.refuse(false)
  },
  /** Long enough for most of what is asked for meanwhile to be tried more than once. */
  outage: async (rig, random) => {
    await rig.proxy.refuse(true)
    await rest(random.whole(5000, 8000))
    await rig.proxy.refuse(false)
  },
  calm: async (_, random) => rest(random.whole(200, 800)),
  severed: async rig => {
    await rig.cluster!.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'switchboard'`
    )
  },
  database: async (rig, random) => {
    await rig.cluster!.stop()
    await rest(random.whole(0, 1000))
    await rig.cluster!.start()
  },
  /** One fewer for a while, with grace. */
  shrink: async (rig, random) => {
    const replica = one(rig, random)
    await replica.end()
    await rest(random.whole(500, 2000))
    await replica.start()
  }
} satisfies Record<string, Blow>
export type BlowName = keyof typeof blows

export const mixes: Record<'sqlite' | 'postgres', Partial<Record<BlowName, number>>> = {
  sqlite: {
    kill: 8,
    readerDies: 5,
    broadcastDies: 3,
    killTwice: 3,
    restart: 2,
    pause: 3,
    sleep: 0.3,
    refuse: 2,
    outage: 0.5,
    calm: 2
  },
  postgres: {
    kill: 5,
    readerDies: 4,
    broadcastDies: 3,
    killTwice: 2,
    killAll: 2,
    shrink: 2,
    pause: 2,
    sleep: 0.6,
    refuse: 1,
    outage: 0.5,
    severed: 4,
    database: 1.5
  }
}

/** One blow, and a while for what comes of it. Tells which it was. */
export async function strike(rig: Rig, random: Random, name: BlowName): Promise<void> {
  weather(rig, random)
  await (blows[name] as Blow)(rig, random)
  await rest(random.whole(200, 1200))
}
