import type { ProviderClient } from '../dispatch/provider-client.ts'
import type { MessageRow } from '../store/schema.ts'
import { type Facts, spanned, type Tracing } from './tracing.ts'

// What the rooms do as spans. Each of these gives back what it was given where nobody traces.

const codeOf = (error: unknown): string => {
  const { code, verdict } = error as { code?: unknown; verdict?: { code: string } }
  return verdict?.code ?? (typeof code === 'string' ? code : 'internal')
}

/** Every call to a provider: a message handed over belongs to the request that made it, however long it has waited since. */
export function tracedClient(client: ProviderClient, tracing: Tracing | undefined): ProviderClient {
  if (!tracing) return client
  return {
    ...client,
    call: (operation, channel, input, options = {}) => {
      const { message, broadcast, attempt, traceparent: parent } = options
      const { id, provider, mode } = channel
      const facts: Facts = {
        ...{ operation, channel: id, provider, mode },
        ...(message && { message }),
        ...(broadcast && { broadcast }),
        ...(attempt !== undefined && { attempt })
      }
      const sends = message !== undefined || broadcast !== undefined
      // What is asked in the background belongs to nothing that somebody would look for.
      if (!sends && !tracing.inside()) return client.call(operation, channel, input, options)
      const span = sends ? tracing.begin('attempt', facts, { parent, kind: 'consumer' }) : tracing.begin('call', facts)
      return spanned(span, () => client.call(operation, channel, input, options), codeOf)
    }
  }
}

/** What goes over the wire, for `timed`: one span for each request to Maton. */
export function tracedUpstream(tracing: Tracing | undefined): <T>(work: () => Promise<T>) => Promise<T> {
  if (!tracing) return work => work()
  return work => (tracing.inside() ? spanned(tracing.begin('provider', {}, { kind: 'client' }), work, codeOf) : work())
}

/** Commits of a request, for `aroundWrites`. */
export const tracedCommits =
  (tracing: Tracing) =>
  <T>(write: () => Promise<T>): Promise<T> =>
    tracing.inside() ? spanned(tracing.begin('journal', {}), write, codeOf) : write()

/** What a webhook told of a message, as part of the trace of the request that made it. */
export function tracedTelling(
  tell: (id: string) => void,
  tracing: Tracing | undefined,
  read: (id: string) => Promise<MessageRow | undefined>
): (id: string) => void {
  if (!tracing) return tell
  return id => {
    tell(id)
    // A row that cannot be read has no span; whoever waits for it has been told.
    read(id).then(
      row => {
        if (row?.traceparent == null) return
        const { channel_id: channel, provider, mode, state } = row
        tracing
          .begin(
            'webhook',
            { message: id, channel, provider, mode, state },
            { parent: row.traceparent, kind: 'consumer' }
          )
          .end()
      },
      () => {}
    )
  }
}
