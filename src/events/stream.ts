import type { EventStreamQuery } from '../../schemas/events.ts'
import type { Caller } from '../keys/caller.ts'
import { beatMs, sse, sseBeat, sseBegin } from '../sse.ts'
import type { EventHead, Journal } from './journal.ts'
import { hears } from './rights.ts'
import { toCursor } from './view.ts'

export interface StreamRequest {
  query: EventStreamQuery
  /** Who asks, as the key is now. */
  caller: () => Caller
  signal: AbortSignal
  /** The place behind which it begins; absent: with what happens next. */
  after?: number
}

/** Events in one look: what a slow reader holds of them. */
const atOnce = 20

/** What a query and a key leave of the events. */
export const filterOf = (caller: Caller, { type, channel }: EventStreamQuery): ((head: EventHead) => boolean) => {
  const heard = hears(caller)
  return head =>
    (type === undefined || head.type === type) && (channel === undefined || head.channel_id === channel) && heard(head)
}

/** Waits for news; what comes while nobody waits is not missed. */
function newsOf(journal: Journal, signal: AbortSignal) {
  let fresh = false
  let wake = (): void => undefined
  const end = journal.onNews(() => {
    fresh = true
    wake()
  })
  const abort = () => wake()
  signal.addEventListener('abort', abort)
  return {
    /** From now on it is news. */
    clear: () => {
      fresh = false
    },
    /** Resolves when there is some, the time is over, or the signal is given. */
    wait: (ms: number): Promise<void> =>
      new Promise(resolve => {
        if (fresh || signal.aborted) return resolve()
        const timer = setTimeout(() => wake(), ms).unref()
        wake = () => {
          clearTimeout(timer)
          wake = () => undefined
          resolve()
        }
      }),
    end: () => {
      end()
      signal.removeEventListener('abort', abort)
    }
  }
}

/**
 * Events as they happen, until the signal is given. Every piece names the place where it
 * stands, so that whoever connects again goes on without a gap or a repetition.
 */
export async function* streamEvents(journal: Journal, request: StreamRequest): AsyncGenerator<string> {
  const { query, signal, after } = request
  const news = newsOf(journal, signal)
  try {
    let place = after ?? (await journal.end())
    let said = performance.now()
    yield sseBegin(toCursor(place))
    while (!signal.aborted) {
      news.clear()
      const { events, next, more } = await journal.follow({
        after: place,
        limit: atOnce,
        filter: filterOf(request.caller(), query)
      })
      for (const { event, text } of events) {
        yield sse({ id: event.id, event: event.type, data: text })
        said = performance.now()
      }
      place = next
      if (performance.now() - said >= beatMs) {
        yield sseBeat(toCursor(place))
        said = performance.now()
      }
      if (!more) await news.wait(beatMs - (performance.now() - said))
    }
  } finally {
    news.end()
  }
}
