import type { Logger } from 'pino'
import {
  type AnyAdapter,
  type BoundChannel,
  type NativeAnswer,
  type Operation,
  type Operations,
  Unsupported,
  UpstreamFailure,
  type Verdict
} from '../adapters/adapter.ts'
import { ServiceError } from '../errors.ts'
import type { Metrics } from '../metrics.ts'
import type { Maton } from '../upstream/maton.ts'
import { judge } from './verdict.ts'

/** What went over the wire, for timeline, log and metrics. */
export interface CallRecord {
  /** False only when not a byte can have been written. */
  started: boolean
  status?: number
  ms: number
  traceId?: string
}

/** A call that failed, with what that means. */
export class CallFailed extends Error {
  readonly verdict: Verdict
  readonly record: CallRecord
  constructor(verdict: Verdict, record: CallRecord) {
    super(verdict.detail)
    this.name = 'CallFailed'
    this.verdict = verdict
    this.record = record
  }

  /** The same for a caller. */
  toServiceError(): ServiceError {
    const { code, detail, provider, retryAfterSeconds, outcome } = this.verdict
    return new ServiceError(code, detail, { provider, retryAfterSeconds, outcome })
  }
}

/** A channel with what only the corridor needs of it. */
export interface DispatchChannel extends BoundChannel {
  connectionId: string
}

export interface Corridor {
  adapter: (provider: string) => AnyAdapter
  /** Throws ServiceError `unsupported`, naming who can, where the channel's provider does not have the operation. */
  require: (operation: Operation, channel: DispatchChannel) => void
  /**
   * Every call to a provider passes here, once.
   * @param timeoutMs a shorter deadline than the general one
   * @throws CallFailed when the provider did not do it (or nobody can say), ServiceError `unsupported` when it cannot
   */
  call: <K extends Operation>(
    operation: K,
    channel: DispatchChannel,
    input: Operations[K]['input'],
    timeoutMs?: number
  ) => Promise<{ output: Operations[K]['output']; record: CallRecord }>
}

export interface CorridorParts {
  adapters: ReadonlyMap<string, AnyAdapter>
  /** The client for live traffic, or the sandbox's for test traffic. */
  upstream: (mode: 'live' | 'test') => Maton | Promise<Maton>
  log: Logger
  metrics: Metrics
}

const traceHeaders = ['x-fb-trace-id', 'x-fb-request-id', 'x-request-id']
function traceOf(headers: NativeAnswer['headers'] | undefined): string | undefined {
  for (const name of traceHeaders)
    if (typeof headers?.[name] === 'string') return (headers[name] as string).slice(0, 128)
  return undefined
}

export function createCorridor({ adapters, upstream, log, metrics }: CorridorParts): Corridor {
  const adapterOf = (provider: string): AnyAdapter => {
    const adapter = adapters.get(provider)
    if (!adapter) throw new Error(`no adapter for ${provider}`)
    return adapter
  }
  const handlerOf = <K extends Operation>(operation: K, { id, provider }: DispatchChannel) => {
    const handler = adapterOf(provider).operations[operation]
    if (handler) return handler
    const others = [...adapters.values()].filter(each => each.operations[operation]).map(each => each.provider)
    const hint = others.length > 0 ? ` A channel of ${others.join(' or ')} can.` : ''
    throw new ServiceError('unsupported', `Channel ${id} (${provider}) has no ${operation}.${hint}`)
  }
  return {
    adapter: adapterOf,
    require: (operation, channel) => void handlerOf(operation, channel),
    call: async (operation, channel, input, timeoutMs) => {
      const adapter = adapterOf(channel.provider)
      const handler = handlerOf(operation, channel)
      const maton = await upstream(channel.mode)
      const begun = performance.now()
      const record: CallRecord = { started: false, ms: 0 }
      const done = (code: string): void => {
        record.ms = Math.round((performance.now() - begun) * 10) / 10
        metrics.call(operation, channel.provider, code, record.ms)
      }
      try {
        const output = await handler(channel, input as never, {
          request: async native => {
            const answer = await maton.request(adapter.app, channel.connectionId, native, timeoutMs)
            record.started = true
            record.status = answer.status
            record.traceId = traceOf(answer.headers)
            return answer
          },
          stream: async native => {
            const answer = await maton.stream(adapter.app, channel.connectionId, native, timeoutMs)
            record.started = true
            record.status = answer.status
            record.traceId = traceOf(answer.headers)
            return answer
          }
        })
        done('ok')
        return { output: output as Operations[typeof operation]['output'], record }
      } catch (error) {
        if (error instanceof Unsupported) {
          done('unsupported')
          throw new ServiceError('unsupported', `Channel ${channel.id} (${channel.provider}): ${error.message}`)
        }
        if (!(error instanceof UpstreamFailure)) {
          done('internal')
          throw error
        }
        record.started = error.started
        record.status = error.status
        const verdict = adapter.classify(error, operation) ?? judge(error, operation, channel.provider)
        record.traceId = traceOf(error.headers) ?? verdict.provider.traceId
        done(verdict.code)
        log.warn(
          {
            operation,
            channel: channel.id,
            code: verdict.code,
            outcome: verdict.outcome,
            provider: { ...verdict.provider },
            ms: record.ms
          },
          'provider call failed'
        )
        throw new CallFailed(verdict, record)
      }
    }
  }
}
