import { PassThrough, type Readable } from 'node:stream'
import type { Logger } from 'pino'
import type { Mode } from '../../schemas/common.ts'
import { type AnyAdapter, UpstreamFailure } from '../adapters/adapter.ts'
import type { Channels } from '../channels/channels.ts'
import { invalid, ServiceError } from '../errors.ts'
import type { Caller } from '../keys/caller.ts'
import { blockKeysOf, blockQueries } from '../messages/blocks.ts'
import { refusalOf, type Suppressed } from '../messages/suppressed.ts'
import type { Metrics } from '../metrics.ts'
import { readPerson } from '../phone.ts'
import { timed } from '../request-trace.ts'
import { auditEntry } from '../store/audit.ts'
import type { Store } from '../store/store.ts'
import type { Passthrough, PassthroughAnswer, PassthroughRequest } from '../upstream/passthrough.ts'
import type { Admission } from './admission.ts'
import { answered, type DispatchChannel, throttleOf } from './provider-client.ts'
import { judgeAs } from './verdict.ts'

/** A request as it came, still unread. */
export interface NativeCall {
  method: string
  /** The request target, as it stood in the first line: nothing of it is decoded. */
  url: string
  headers: Readonly<Record<string, string | string[] | undefined>>
  /** Present where the method has one. */
  body?: Readable | undefined
  requestId: string
}

export interface NativeResult {
  status: number
  headers: Record<string, string>
  /** Absent where the answer has none. */
  body?: Readable
}

/** The provider's own API through a channel: bytes in, bytes out. Throws ServiceError when no answer came that may pass. */
export type Native = (caller: Caller, channelId: string, call: NativeCall) => Promise<NativeResult>

export interface NativeParts {
  store: Store
  adapters: ReadonlyMap<string, AnyAdapter>
  channels: Channels
  /** Maton for live traffic, or the sandbox for test traffic. */
  passthrough: (mode: Mode) => Promise<Passthrough>
  admission: Admission
  log: Logger
  metrics: Metrics
  suppressed: Suppressed
}

/** The largest body that goes through. */
export const nativeLimit = 100 * 1024 * 1024
const longestPath = 1024

const place = 'path/*'
/**
 * The provider's path, from what stands behind native/. By what may be there and not by what may not: letters, digits
 * and the few marks that ids and file names have, so that whatever decodes it once more, or normalises it, finds
 * nothing to climb with (T15). One slash at its end says nothing, and is left off.
 */
export function nativePath(raw: string): string {
  if (raw === '') throw invalid(place, 'must be the provider’s path, with its version')
  if (raw.length > longestPath) throw invalid(place, `must not be longer than ${longestPath} characters`)
  const segments = raw
    .replace(/(?<=.)\/$/, '')
    .split('/')
    .map(segment => {
      let text: string
      try {
        text = decodeURIComponent(segment)
      } catch {
        throw invalid(place, 'must be UTF-8 in percent-encoding')
      }
      if (text === '' || /^\.+$/.test(text))
        throw invalid(place, 'must not have an empty segment, or one of dots alone')
      if (!/^[A-Za-z0-9 ._~!$'()*+,=@-]+$/.test(text))
        throw invalid(place, "must be of letters, digits and the marks _ - . ~ ! $ ' ( ) * + , = @ alone")
      return encodeURIComponent(text)
    })
  return `/${segments.join('/')}`
}

/** The query as it came; what a URL cannot hold as it is gets encoded, and a credential of the caller's own is refused. */
export function nativeQuery(raw: string | undefined): string {
  if (!raw) return ''
  for (const name of new URLSearchParams(raw).keys())
    if (/^(access_token|appsecret_proof)$/i.test(name))
      throw invalid(`query/${name}`, 'is not taken: the channel brings the credentials')
  const text = raw.replace(
    /[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]/g,
    mark => `%${mark.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`
  )
  return `?${text}`
}

/** Path and query for the provider, out of the target of the request. */
function targetOf(url: string): string {
  const [, path, query] = /^\/channels\/[^/?#]+\/native\/([^?]*)(?:\?(.*))?$/s.exec(url) ?? []
  if (path === undefined || url.includes('#')) throw invalid(place, 'must be the provider’s path, with its version')
  return nativePath(path) + nativeQuery(query)
}

const text = (value: string | string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined

/** What of the caller's headers travels, and the length of the body where it is told. */
function headersOf({ headers, body }: NativeCall): Record<string, string> {
  const { accept, 'content-type': type, 'content-length': length } = headers
  return {
    ...(text(accept) && { accept: text(accept)! }),
    ...(body && text(type) && { 'content-type': text(type)! }),
    ...(body && text(length) && { 'content-length': text(length)! })
  }
}

const tooLarge = (): ServiceError =>
  new ServiceError('payload_too_large', `A native call takes at most ${nativeLimit} bytes.`, {
    headers: { connection: 'close' }
  })

/** Reads a body without owning it: whoever answers needs its socket. `tell` hears that it was too long. */
async function* measured(body: Readable, tell: () => void): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > nativeLimit) {
      tell()
      throw tooLarge()
    }
    yield chunk
  }
}

/** What the provider does to a call, in the caller's words. */
function lost(error: unknown, method: PassthroughRequest['method'], provider: string): unknown {
  if (!(error instanceof UpstreamFailure)) return error
  const read = method === 'GET' || method === 'HEAD'
  const { code, detail, outcome, retryAfterSeconds, provider: said } = judgeAs(error, read, provider)
  return new ServiceError(code, detail, { provider: said, outcome, retryAfterSeconds })
}

/** An answer that breaks off before its first byte can still be told as a problem; later ones only end the connection. */
function told(body: Readable, inOurWords: (error: unknown) => unknown): Readable {
  const back = new PassThrough()
  body.on('error', error => back.destroy(inOurWords(error) as Error))
  // The reader may go away, and the body may break before anybody reads it.
  back.on('close', () => body.destroy()).on('error', () => {})
  return body.pipe(back)
}

/** The headers of the answer that belong to its body (content-encoding too: without it, bytes could not be read). */
const kept = ['content-type', 'content-length', 'content-disposition', 'content-encoding']
const answerHeaders = (headers: PassthroughAnswer['headers']): Record<string, string> => ({
  ...Object.fromEntries(
    kept.flatMap(name => (text(headers[name]) === undefined ? [] : [[name, text(headers[name])!]]))
  ),
  // A stranger's bytes under our name: no browser may take them for a page of ours, or keep them.
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store'
})

/** What is read at most of an answer that does not pass. */
const longestRefusal = 64 * 1024

/** The JSON of a refusal, for the provider's code and words in it; undefined where there is none. */
async function wordsOf({ body }: PassthroughAnswer): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      size += chunk.length
      if (size > longestRefusal) return undefined
    }
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    // Broken off, or not JSON: its status alone says that it was refused.
    return undefined
  }
}

const refusal: Readonly<Record<number, string>> = {
  401: 'The credential was refused; whether by Maton or by the provider is not told.',
  403: 'Access was refused; whether by Maton or by the provider is not told.'
}
/** An answer that must not pass as if it were the caller's; undefined: it may. */
async function refused(answer: PassthroughAnswer, adapter: AnyAdapter): Promise<ServiceError | undefined> {
  const { status, headers } = answer
  const said = { provider: { name: adapter.provider, status } }
  if (refusal[status]) {
    const facts = { kind: 'status', started: true, status, headers, body: await wordsOf(answer) } as const
    const verdict = adapter.classify(new UpstreamFailure('refused', facts))
    const { detail = refusal[status], provider = said.provider } = verdict ?? {}
    return new ServiceError('channel_rejected', detail, { provider })
  }
  if (status >= 300 && status < 400)
    return new ServiceError('provider_protocol', 'The answer was a redirect, which is never followed.', said)
  if (status > 599) return new ServiceError('provider_protocol', `The answer had the status ${status}.`, said)
  return undefined
}

/** Numbers of people do not belong in a log; ids keep their ends too. */
const masked = (target: string): string => target.split('?')[0]!.replace(/\d{7,}/g, digits => `…${digits.slice(-4)}`)

/** Everybody whom a call's path or query names, as far as numbers and user ids can be told from other ids. */
export function peopleIn(target: string): string[] {
  const [path = '', query = ''] = target.split('?')
  const words = [...path.split('/').map(decodeURIComponent), ...new URLSearchParams(query).values()]
  return [...new Set(words.flatMap(word => readPerson(word).value ?? []))]
}

export function createNative(parts: NativeParts): Native {
  const { store, adapters, channels, passthrough, admission, log, metrics, suppressed } = parts
  const blocks = blockQueries(store)
  /** The stop switch and the hold stop what could send: nobody reads here whether it does. */
  const requireOpen = async ({ id, mode }: DispatchChannel): Promise<void> => {
    const keys = { ...blockKeysOf({ mode, channel_id: id, contact: null, broadcast_id: null }), account: '' }
    const [block] = await store.read(blocks.of({ ...keys, breaker: '', throttle: '', recipient: '' }))
    if (block) throw new ServiceError('conflict', block.detail ?? 'Sending is stopped. Nothing was sent.')
  }
  /** Nobody reads a body here: whom only that names is not found. Nor is what it says: marketing stops nothing. */
  const requireNobodyStopped = async ({ id, mode }: DispatchChannel, target: string): Promise<void> => {
    const of = { mode, channel_id: id, marketing: false }
    for (const standing of (await suppressed.amongNow(of, peopleIn(target))).values()) throw refusalOf(standing)
  }
  /** The answer passes unread; what its status and headers say of the account's and the channel's state is heard. */
  const watch = (channel: DispatchChannel, { status, headers }: PassthroughAnswer): void => {
    admission.note(channel, answered({ kind: 'status', status }))
    const throttle = throttleOf({ status, headers }, status === 429 ? { throttles: 'account' } : {}, false)
    if (throttle) admission.throttle(channel, throttle)
  }

  /** One call, once, with a log line and an observation however it ends. */
  const call = async (channel: DispatchChannel, request: PassthroughRequest, { requestId }: NativeCall) => {
    const adapter = adapters.get(channel.provider)!
    const { app, provider } = adapter
    const maton = await passthrough(channel.mode)
    const permit = await timed('queue', () => admission.admit(channel, {}))
    const onStart = (): void => permit && admission.left(permit)
    // It may have waited for its turn for long.
    if (request.method !== 'GET' && request.method !== 'HEAD') await requireOpen(channel)
    const begun = performance.now()
    const line = { requestId, operation: 'native', channel: channel.id, method: request.method }
    const done = (code: string, status: number | null): void => {
      const ms = Math.round((performance.now() - begun) * 10) / 10
      metrics.call('native', provider, code, ms)
      log.info({ ...line, path: masked(request.target), code, status, ms }, 'native call')
    }
    try {
      const answer = await maton.send(app, channel.connectionId, { ...request, onStart })
      watch(channel, answer)
      const error = await refused(answer, adapter)
      done(error?.code ?? 'ok', answer.status)
      if (!error) return answer
      answer.body.destroy()
      throw error
    } catch (error) {
      if (error instanceof UpstreamFailure) admission.note(channel, answered(error))
      const words = lost(error, request.method, provider)
      if (words !== error) done((words as ServiceError).code, null)
      throw words
    }
  }

  return async (caller, channelId, input) => {
    const method = input.method as PassthroughRequest['method']
    const target = targetOf(input.url)
    if (caller.templates || caller.recipientPrefixes)
      throw new ServiceError(
        'forbidden',
        'This key is limited to some templates or recipients, which is not read here.'
      )
    const channel = await channels.resolve(caller, channelId)
    if (Number(text(input.headers['content-length'])) > nativeLimit) throw tooLarge()
    if (method !== 'GET' && method !== 'HEAD') {
      await requireOpen(channel)
      if (method === 'POST') await requireNobodyStopped(channel, target)
      await store.write(function* () {
        const detail = { method, path: masked(target), mode: caller.mode, requestId: input.requestId }
        yield* auditEntry(store, caller, 'native.called', channel.id, detail)
      })
    }
    let over = false
    const body = input.body && measured(input.body, () => (over = true))
    const headers = headersOf(input)
    const answer = await call(channel, { method, target, headers, body }, input).catch(error => {
      throw over ? tooLarge() : error
    })
    const empty = method === 'HEAD' || answer.status === 204 || answer.status === 205
    if (empty) answer.body.resume()
    const headersBack = answerHeaders(answer.headers)
    if (empty) return { status: answer.status, headers: headersBack }
    const back = told(answer.body, error => lost(error, method, channel.provider))
    return { status: answer.status, headers: headersBack, body: back }
  }
}
