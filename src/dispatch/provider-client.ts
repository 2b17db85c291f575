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
import { requestTrace, timed } from '../request-trace.ts'
import type { Maton } from '../upstream/maton.ts'
import type { Admission, Permit, Throttle } from './admission.ts'
import { keepLiveFromSandbox } from './sandbox-mode.ts'
import { judge, retryAfter, withoutSecrets } from './verdict.ts'

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

  /** The failure as a caller is told of it. */
  toServiceError(): ServiceError {
    const { code, detail, provider, retryAfterSeconds, outcome } = this.verdict
    return new ServiceError(code, detail, { provider, retryAfterSeconds, outcome })
  }
}

/** It had a turn and came too late for it: not a byte was written, and nothing was asked of the provider. */
export class TooLate extends CallFailed {}

/** A channel with what only the corridor needs of it. */
export interface DispatchChannel extends BoundChannel {
  connectionId: string
  /** Whose call it is, so that turns go round. */
  service?: string
}

export interface CallOptions {
  /** A shorter deadline than the general one. */
  timeoutMs?: number
  /** The turn that was had for it; without one it is waited for. */
  permit?: Permit
  /** Of a send: the message type, the recipient's number, how often it has been tried. */
  type?: string
  to?: string
  attempt?: number
  /** The message that it sends, or the broadcast whose messages it sends, for the log. */
  message?: string
  broadcast?: string
  /** Of the request that made the message: its trace goes on there. */
  traceparent?: string | null
  lane?: 0 | 1
  /** performance.now() after which it must not go out any more: somebody may have judged it. */
  notAfter?: number
  /** Asked when its turn has come, right before the write; false: it must not go out with this turn. True: it has left. */
  leave?: () => boolean
  /** It is to find out whether a channel answers that has not. */
  probe?: true
}

export interface ProviderClient {
  adapter: (provider: string) => AnyAdapter
  /** Throws ServiceError `unsupported`, naming who can, where the channel's provider does not have the operation. */
  require: (operation: Operation, channel: DispatchChannel) => void
  /**
   * Every call to a provider passes here, once, when it is its turn.
   * @throws CallFailed when the provider did not do it (or nobody can say), ServiceError `unsupported` when it cannot
   */
  call: <K extends Operation>(
    operation: K,
    channel: DispatchChannel,
    input: Operations[K]['input'],
    options?: CallOptions
  ) => Promise<{ output: Operations[K]['output']; record: CallRecord }>
}

export interface ProviderClientParts {
  adapters: ReadonlyMap<string, AnyAdapter>
  /** The client for live traffic, or the sandbox's for test traffic. */
  upstream: (mode: 'live' | 'test') => Maton | Promise<Maton>
  admission: Admission
  log: Logger
  metrics: Metrics
  /** No account: nothing that is live goes out. */
  sandboxMode?: boolean
}

const traceHeaders = ['x-fb-trace-id', 'x-fb-request-id', 'x-request-id']
function traceOf(headers: NativeAnswer['headers'] | undefined): string | undefined {
  for (const name of traceHeaders)
    if (typeof headers?.[name] === 'string') return (headers[name] as string).slice(0, 128)
  return undefined
}

const late = (provider: string): Verdict => ({
  code: 'provider_unavailable',
  outcome: 'not_sent',
  later: true,
  detail: 'Its turn had passed before it could go out: nothing was sent.',
  provider: { name: provider, status: null }
})

/** It had no turn: nothing was sent. */
const notYet = ({ code, message, facts }: ServiceError, provider: string, record: CallRecord): CallFailed =>
  new CallFailed(
    {
      code,
      outcome: 'not_sent',
      later: true,
      detail: message,
      provider: { name: provider, status: null },
      ...(facts.retryAfterSeconds !== undefined && { retryAfterSeconds: facts.retryAfterSeconds })
    },
    record
  )

/** Whether an answer came that shows somebody at work, where the provider's own words are missing (docs/reliability.md P22). */
export const answered = ({ kind, status = 0 }: Pick<UpstreamFailure, 'kind' | 'status'>): boolean =>
  kind === 'unsendable' || (kind !== 'transport' && status < 500)

/** Retry-After is law, whatever else the answer means; without an attribution it is the whole account's (docs/upstream.md 2.4). */
export function throttleOf(
  { status, headers }: Pick<UpstreamFailure, 'status' | 'headers'>,
  verdict: Pick<Verdict, 'throttles' | 'retryAfterSeconds'>,
  attributed: boolean
): Throttle | undefined {
  const asked =
    verdict.retryAfterSeconds ??
    (status === 429 || status === 503 ? retryAfter(headers?.['retry-after'], Date.now()) : undefined)
  if (!verdict.throttles && asked === undefined) return undefined
  const scope = verdict.throttles ?? (attributed ? 'channel' : 'account')
  return {
    ...{ scope, asked: headers?.['retry-after'] !== undefined },
    ...(asked !== undefined && { seconds: asked }),
    ...(status === 429 && { tooMany: true as const })
  }
}

export function createProviderClient({
  adapters,
  upstream,
  admission,
  log,
  metrics,
  sandboxMode = false
}: ProviderClientParts): ProviderClient {
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
    call: async (operation, channel, input, options = {}) => {
      const { timeoutMs, type, to, attempt } = options
      const adapter = adapterOf(channel.provider)
      const handler = handlerOf(operation, channel)
      if (sandboxMode) keepLiveFromSandbox(operation, channel)
      const maton = await upstream(channel.mode)
      let begun = performance.now()
      let permit: Permit | undefined
      const record: CallRecord = { started: false, ms: 0 }
      const done = (code: string): void => {
        record.ms = Math.round((performance.now() - begun) * 10) / 10
        metrics.call(operation, channel.provider, code, record.ms)
      }
      const turn = async (): Promise<void> => {
        // Where nothing is paced there is nothing to wait for.
        const unpaced = options.permit?.until === Number.POSITIVE_INFINITY
        permit = unpaced
          ? options.permit
          : await timed('queue', () =>
              admission.admit(channel, { operation, ...(type && { type }), ...(to && { to }) }, options)
            ).catch(error => {
              throw error instanceof ServiceError ? notYet(error, channel.provider, record) : error
            })
        begun = performance.now()
        // Late, or stopped for longer than it is ours.
        const ours = options.notAfter === undefined || begun <= options.notAfter
        if (!permit || !ours || options.leave?.() === false) throw new TooLate(late(channel.provider), record)
      }
      const starts = (): void => {
        if (permit?.slot) admission.left(permit)
      }
      const answeredWith = (ok: boolean): void => {
        if (permit?.slot) admission.answered(permit, { kind: `${channel.provider}/${operation}`, ok })
      }
      const told = <A extends Pick<NativeAnswer, 'status' | 'headers'>>(answer: A): A => {
        record.started = true
        record.status = answer.status
        record.traceId = traceOf(answer.headers)
        answeredWith(true)
        return answer
      }
      try {
        const output = await handler(channel, input as never, {
          request: async native => {
            await turn()
            return told(await maton.request(adapter.app, channel.connectionId, native, timeoutMs, starts))
          },
          stream: async native => {
            await turn()
            return told(await maton.stream(adapter.app, channel.connectionId, native, timeoutMs, starts))
          }
        })
        done('ok')
        if (!options.probe) admission.note(channel, true)
        return { output: output as Operations[typeof operation]['output'], record }
      } catch (error) {
        if (error instanceof Unsupported) {
          done('unsupported')
          throw new ServiceError('unsupported', `Channel ${channel.id} (${channel.provider}): ${error.message}`)
        }
        if (error instanceof CallFailed) {
          done(error.verdict.code)
          throw error
        }
        if (!(error instanceof UpstreamFailure)) {
          done('internal')
          throw error
        }
        record.started = error.started
        record.status = error.status
        if (error.status !== undefined) answeredWith(false)
        const said = adapter.classify(error, operation)
        const verdict = withoutSecrets(said ?? judge(error, operation, channel.provider), input)
        if (!options.probe) admission.note(channel, said !== undefined || answered(error))
        const throttle = throttleOf(error, verdict, said !== undefined)
        if (throttle) admission.throttle(channel, throttle, to, attempt)
        record.traceId = traceOf(error.headers) ?? verdict.provider.traceId
        done(verdict.code)
        log.warn(
          {
            operation,
            channel: channel.id,
            ...(options.message && { message: options.message }),
            ...(options.broadcast && { broadcast: options.broadcast }),
            requestId: requestTrace.getStore()?.requestId,
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
