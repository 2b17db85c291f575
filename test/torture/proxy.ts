import { createServer, connect as open, type Server, type Socket } from 'node:net'
import type { Random } from './random.ts'

/** What can befall one request on its way; `pass`: nothing. */
export type Fault =
  | 'pass'
  /** The connection is reset when some bytes of the request are through, or none: it cannot have been taken. */
  | 'reset_before'
  /** The whole request is through; the connection is reset at some byte of the answer. */
  | 'reset_after'
  /** The answer comes later, perhaps too late. */
  | 'delay'
  /** The answer comes byte by byte. */
  | 'drip'
  /** Accepted, and never a word: nothing is passed on. */
  | 'half_open'
  /** A part of the answer, and a proper end. */
  | 'truncate'

export interface FaultProxy {
  url: string
  /** How likely each fault is, for every request from now on; what is left passes. */
  faults: Partial<Record<Fault, number>>
  /** Connections are refused, and those that there are broken, until it is called with false. */
  refuse: (refused: boolean) => Promise<void>
  /** How often each fault was played. */
  readonly played: Partial<Record<Fault, number>>
  close: () => Promise<void>
}

export interface ProxyOptions {
  random: Random
  /** Longest delay of an answer, in milliseconds. */
  longestMs?: number
}

/** One connection of a client; a fault is drawn for each request on it (no pipelining: the next follows the answer). */
function relay(client: Socket, port: number, draw: () => Fault, { random, longestMs = 1500 }: ProxyOptions): void {
  const server = open(port, '127.0.0.1')
  let fault: Fault = 'pass'
  let answering = true
  /** Bytes that may pass in the direction that the fault watches. */
  let left = 0
  let queue: Promise<void> = Promise.resolve()
  const end = (reset: boolean): void => {
    if (reset) client.resetAndDestroy()
    else client.end()
    server.destroy()
  }
  const rest = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
  const later = (ms: number, act: () => void): void => {
    // For a client that has gone there is nothing to wait for.
    queue = queue.then(async () => {
      if (!client.destroyed) await rest(ms)
      if (!client.destroyed) act()
    })
  }
  for (const socket of [client, server]) {
    socket.setNoDelay(true)
    socket.on('error', () => {})
  }
  client.on('close', () => server.destroy())
  server.on('close', () => later(0, () => client.end()))

  client.on('data', chunk => {
    if (answering) {
      fault = draw()
      left = fault === 'reset_before' ? random.whole(0, 400) : random.whole(1, 200)
      answering = false
    }
    if (fault === 'half_open') return
    if (fault !== 'reset_before') return void server.write(chunk)
    // The last byte never passes, or it would be a whole request.
    const part = chunk.subarray(0, Math.min(left, chunk.length - 1))
    server.write(part, () => end(true))
  })
  server.on('data', chunk => {
    answering = true
    if (fault === 'pass') return later(0, () => client.write(chunk))
    if (fault === 'delay') return later(random.whole(20, longestMs), () => client.write(chunk))
    if (fault === 'drip') {
      for (const byte of chunk) later(20, () => client.write(Buffer.from([byte])))
      return
    }
    const part = chunk.subarray(0, Math.min(left, chunk.length - 1))
    if (part.length > 0) client.write(part)
    end(fault === 'reset_after')
  })
}

/** Stands between Switchboard and the sandbox, and spoils requests as a bad network does. */
export async function startProxy(target: string, options: ProxyOptions): Promise<FaultProxy> {
  const sockets = new Set<Socket>()
  const played: FaultProxy['played'] = {}
  let server: Server
  let port = 0
  const draw = (): Fault => {
    const sum = Object.values(proxy.faults).reduce((all, one) => all + one, 0)
    const fault = options.random.weighted<Fault>({ ...proxy.faults, pass: Math.max(0, 1 - sum) })
    played[fault] = (played[fault] ?? 0) + 1
    return fault
  }
  const listen = async (): Promise<void> => {
    server = createServer(client => {
      sockets.add(client)
      client.on('close', () => sockets.delete(client))
      relay(client, Number(new URL(target).port), draw, options)
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
    port = (server.address() as { port: number }).port
  }
  const shut = (): Promise<void> => {
    const closed = new Promise<void>(resolve => server.close(() => resolve()))
    for (const socket of sockets) socket.resetAndDestroy()
    return closed
  }
  const proxy: FaultProxy = {
    url: '',
    faults: {},
    played,
    refuse: async refused => {
      if (refused === !server.listening) return
      await (refused ? shut() : listen())
    },
    close: async () => {
      if (server.listening) await shut()
    }
  }
  await listen()
  proxy.url = `http://127.0.0.1:${port}`
  return proxy
}
