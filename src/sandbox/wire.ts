import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyReply } from 'fastify'
import type { Answer } from './call.ts'
import type { Effect } from './effects.ts'

/** One answer in bytes. */
interface Bytes {
  headers: Record<string, string>
  body: string | Buffer
}

function toBytes({ headers = {}, body }: Answer): Bytes {
  if (body === undefined) return { headers, body: '' }
  if (typeof body === 'string' || Buffer.isBuffer(body)) return { headers, body }
  return { headers: { 'content-type': 'application/json; charset=utf-8', ...headers }, body: JSON.stringify(body) }
}

/** Says an answer as it is. */
export function say(reply: FastifyReply, answer: Answer): void {
  const { headers, body } = toBytes(answer)
  const { raw } = reply
  reply.hijack()
  raw.writeHead(answer.status, { ...headers, 'content-length': Buffer.byteLength(body) })
  raw.end(body)
}

/** Leaves the connection to a fault that is none of an answer's; tells the status that left, 0 for none. */
export function playOnWire(reply: FastifyReply, effect: Effect, answer: Answer): number {
  const { raw } = reply
  const socket = raw.socket
  reply.hijack()
  switch (effect.kind) {
    case 'reset':
      socket?.resetAndDestroy()
      return 0
    case 'cut': {
      const { headers, body } = toBytes(answer)
      const bytes = Buffer.from(body)
      raw.writeHead(answer.status, { ...headers, 'content-length': bytes.length })
      raw.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => socket?.destroy())
      return answer.status
    }
    case 'dribble': {
      const { headers, body } = toBytes(answer)
      raw.writeHead(answer.status, headers)
      dribble(raw, Buffer.from(body), effect.everyMs)
      return answer.status
    }
    default:
      // silent: the socket stays open until somebody gives up
      return 0
  }
}

/** The body byte by byte, then spaces for ever: JSON that never becomes wrong and never ends. */
function dribble(raw: FastifyReply['raw'], body: Buffer, everyMs: number): void {
  let at = 0
  const timer = setInterval(() => {
    raw.write(body.subarray(at, at + 1).length > 0 ? body.subarray(at, at + 1) : ' ')
    at += 1
  }, everyMs)
  raw.once('close', () => clearInterval(timer))
}

/** Resolves after so many milliseconds; rejects when the signal ends it before. */
export type Wait = (ms: number, signal: AbortSignal) => Promise<unknown>

export const realWait: Wait = (ms, signal) => sleep(ms, undefined, { signal })

/** Waits, unless the caller goes away first. */
export function pause(reply: FastifyReply, ms: number, wait: Wait): Promise<void> {
  return new Promise(resolve => {
    const gone = new AbortController()
    const end = (): void => resolve()
    reply.raw.once('close', () => {
      gone.abort()
      end()
    })
    wait(ms, gone.signal).then(end, end)
  })
}
