import type { Logger } from 'pino'
import type { SendingWindow } from '../../schemas/channel-settings.ts'
import { loadZones, type ZonesOf } from './places.ts'
import { type Span, spanAt } from './window.ts'

// When a message may go out to a person. It is asked for each one, so what has been found is remembered for as long as it holds.

/** Milliseconds at the end of a window that are not used: a call that is under way shall end within it. */
export const marginMs = 60_000

/** The first moment at which a message may go: now where the window is open. Or why there is none. */
export type Opening = number | 'nowhere' | 'never'

export interface QuietHours {
  /** To be awaited once before `opensAt` is asked for the recipient's own time. */
  ready: () => Promise<void>
  /**
   * @param person digits or a user id, as phone.ts gives it
   * @param now by the store's clock, in milliseconds
   * @returns undefined: it is not ready yet; ask again in a moment
   */
  opensAt: (window: SendingWindow, person: string, now: number) => Opening | undefined
  /** As `opensAt`, of a window as a broadcast keeps it. One that never opens is looked at again each day: rules of time change. */
  dueAt: (window: string, person: string, now: number) => number | undefined
  /** The window of a place that is the same for everybody; undefined: it is the recipient's. */
  spanAt: (window: SendingWindow, now: number) => Span | undefined
}

/** After a failure it is tried again after so long, in milliseconds. */
const againMs = 5000
const dayMs = 24 * 3600_000
/** Windows and places that are remembered at most. */
const mostKept = 10_000

export function createQuietHours(log: Pick<Logger, 'error'>, load: () => Promise<ZonesOf> = loadZones): QuietHours {
  let zonesOf: ZonesOf | undefined
  let loading: Promise<void> | undefined
  const ready = (): Promise<void> => {
    loading ??= load().then(
      loaded => {
        zonesOf = loaded
      },
      error => {
        setTimeout(() => {
          loading = undefined
        }, againMs).unref()
        throw error
      }
    )
    return loading
  }
  const kept = new Map<string, Span & { from: number }>()

  /** As a window is used: without its last minute, and without what is shorter than that. */
  const usable = (window: SendingWindow, zones: readonly string[], now: number): Span => {
    for (let at = now; ; ) {
      const span = spanAt(window, zones, at)
      if (span.open && span.until! - marginMs > at) {
        return at === now ? { open: true, until: span.until! - marginMs } : { open: false, until: at }
      }
      if (span.until === null) return span
      at = span.until
    }
  }
  const spanOf = (window: SendingWindow, zones: readonly string[], now: number): Span => {
    const key = `${window.from} ${window.to} ${window.days?.join() ?? ''} ${zones.join()}`
    const known = kept.get(key)
    if (known && known.from <= now && known.until !== null && now < known.until) return known
    if (kept.size >= mostKept) kept.clear()
    const span = { ...usable(window, zones, now), from: now }
    kept.set(key, span)
    return span
  }

  const opensAt: QuietHours['opensAt'] = (window, person, now) => {
    const own = window.timeZone === 'recipient'
    if (own && !zonesOf) {
      if (!loading)
        ready().catch(error => log.error({ err: error }, 'what is known of places cannot be loaded: it is tried again'))
      return undefined
    }
    const zones = own ? zonesOf!(person) : [window.timeZone]
    if (zones.length === 0) return 'nowhere'
    const { open, until } = spanOf(window, zones, now)
    return open ? now : (until ?? 'never')
  }

  return {
    ready,
    opensAt,
    dueAt: (window, person, now) => {
      const opens = opensAt(JSON.parse(window) as SendingWindow, person, now)
      return typeof opens === 'string' ? now + dayMs : opens
    },
    spanAt: (window, now) => (window.timeZone === 'recipient' ? undefined : spanOf(window, [window.timeZone], now))
  }
}
