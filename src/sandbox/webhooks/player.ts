import type { HookKeys } from '../stand-in.ts'
import type { Happening, Taken, Wording } from './happening.ts'
import { type Hook, type Hooks, type PostOptions, post } from './hooks.ts'
import { fateOf, type ScenarioOf } from './scenarios.ts'

/** Plays what follows each send: happenings in their time, told to every hook over HTTP. */
export interface Player {
  /** A provider took this message. @returns for how many milliseconds its answer is held back */
  take: (taken: Taken) => number
  /** Something happens that follows no send: ordered by a test or a demo. */
  happen: (happening: Happening) => void
  /** Resolves when nothing is on its way any more. */
  idle: () => Promise<void>
  close: () => Promise<void>
}

export interface PlayerOptions extends PostOptions {
  hooks: Hooks
  /** How each stand-in tells; one that is not here tells nothing. */
  tellers: ReadonlyMap<string, { wording: Wording; hooks: HookKeys }>
  /** Length of one unit of time in milliseconds; 0: everything at once, in its order. */
  tempoMs: number
  /** What follows a message. */
  scenarioOf: ScenarioOf
  /** First wait before a refused body is tried again; it doubles each time. */
  retryMs: number
}

/** WATI gives a hook up after this many failures in a row (docs/webhooks.md A1); Meta's stays. */
const defectiveAfter = 100
/** A provider tries for a day or a week; a sandbox that nobody listens to must not. */
const mostTries = 8
/** What waits for a hook that does not answer; the oldest are dropped beyond it. */
const mostWaiting = 200_000

interface Lane {
  hook: Hook
  waiting: Happening[]
  running: Promise<void> | undefined
}

export function createPlayer({ hooks, tellers, tempoMs, retryMs, scenarioOf, ...options }: PlayerOptions): Player {
  const timers = new Set<NodeJS.Timeout>()
  const lanes = new Map<Hook, Lane>()
  const looking = new Set<Promise<void>>()
  let closed = false

  const later = (ms: number, act: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      act()
    }, ms).unref()
    timers.add(timer)
  }
  const pauses = new Set<() => void>()
  const pause = (ms: number): Promise<void> =>
    new Promise(resolve => {
      const end = (): void => {
        pauses.delete(end)
        resolve()
      }
      pauses.add(end)
      later(ms, end)
    })

  const tell = async (hook: Hook, bytes: Buffer, { signed, defective }: HookKeys): Promise<void> => {
    for (let tries = 0; tries < mostTries && !closed && hook.status === 1; tries++) {
      if (tries > 0) await pause(retryMs * 2 ** (tries - 1))
      const status = await post(hook.url, bytes, {
        ...options,
        appSecret: signed ? (hook.appSecret ?? options.appSecret) : undefined
      })
      if (status === 200) {
        hook.failures = 0
        return
      }
      hook.failures += 1
      if (defective && hook.failures > defectiveAfter) hook.status = 2
    }
  }

  /** One at a time for each hook; what waited meanwhile goes together where the provider puts many into one body. */
  const drain = async (lane: Lane): Promise<void> => {
    while (lane.waiting.length > 0 && !closed) {
      const [first] = lane.waiting
      const { wording, hooks: keys } = tellers.get(first!.taken.provider)!
      const happenings = lane.waiting.splice(0, wording.most)
      for (const { eventType, body } of wording.bodies(happenings, Date.now())) {
        const wanted = lane.hook.eventTypes
        if (eventType !== undefined && wanted !== undefined && !wanted.includes(eventType)) continue
        await tell(lane.hook, Buffer.from(JSON.stringify(body)), keys)
      }
    }
  }

  const happen = (happening: Happening): void => {
    const teller = tellers.get(happening.taken.provider)
    if (closed || teller === undefined) return
    const found = hooks.of(happening.taken, teller.hooks).then(all => {
      for (const hook of all) {
        const lane = lanes.get(hook) ?? { hook, waiting: [], running: undefined }
        lanes.set(hook, lane)
        lane.waiting.push(happening)
        if (lane.waiting.length > mostWaiting) lane.waiting.shift()
        lane.running ??= drain(lane).finally(() => {
          lane.running = undefined
          if (lane.waiting.length === 0) lanes.delete(hook)
        })
      }
    })
    const watched = found.catch(() => {}).finally(() => looking.delete(watched)) // no hook, nobody to tell
    looking.add(watched)
  }

  const play = (steps: { after: number; happening: Happening }[]): void => {
    const [next, ...rest] = steps
    if (next === undefined || closed) return
    const act = (): void => {
      happen(next.happening)
      play(rest)
    }
    if (next.after * tempoMs === 0) act()
    else later(next.after * tempoMs, act)
  }

  const idle = async (): Promise<void> => {
    while (timers.size + looking.size + lanes.size > 0) {
      await Promise.all([...looking, ...[...lanes.values()].map(lane => lane.running)])
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }

  return {
    take: taken => {
      const { steps, answerAfterMs } = fateOf(taken, scenarioOf)
      play(steps)
      return answerAfterMs
    },
    happen,
    idle,
    close: async () => {
      closed = true
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
      for (const resolve of pauses) resolve()
      await Promise.all([...lanes.values()].map(lane => lane.running))
    }
  }
}
