import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'

/** One request as it came over the wire. */
export interface Seen {
  method: string
  /** Path and query, not decoded. */
  url: string
  /** Every header in its order and spelling, names in lower case. */
  headers: [name: string, value: string][]
  body: Buffer
  /** The number of the connection that it came on, from 0. */
  connection: number
}

export interface Answer {
  status: number
  headers?: Record<string, string>
  /** An object goes out as JSON; nothing is no byte at all. */
  body?: unknown
}

/** What a server can do to a request. Every one but an answer leaves the client alone with its deadline, or without a peer. */
export type Play =
  | Answer
  /** The connection is reset, with the request read and perhaps processed. */
  | 'reset'
  /** The connection is closed in order, without an answer. */
  | 'close'
  /** Nothing, for ever. */
  | 'silence'
  /** A good status and headers, then nothing. */
  | 'stall'
  /** A good status, then one byte each 20 ms, for ever. */
  | 'dribble'
  /** Half of a good body, then a reset. */
  | 'cut'

export interface Stub {
  url: string
  /** Requests that arrived complete. */
  seen: Seen[]
  /** How many connections were made. */
  connections: () => number
  close: () => Promise<void>
}

/** A server on loopback that plays `play` to each request; the request is recorded before. */
export async function openStub(
  play: Play | ((seen: Seen, count: number) => Play | Promise<Play>),
  success: unknown = { ok: true }
): Promise<Stub> {
  const seen: Seen[] = []
  const sockets: Socket[] = []
  const server = createServer({ keepAliveTimeout: 60_000 }, async (request, response) => {
    const entry = await read(request, sockets)
    seen.push(entry)
    perform(typeof play === 'function' ? await play(entry, seen.length) : play, response, success)
  })
  server.on('connection', socket => sockets.push(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    connections: () => sockets.length,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    }
  }
}

async function read(request: IncomingMessage, sockets: Socket[]): Promise<Seen> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const raw = request.rawHeaders
  return {
    method: request.method ?? '',
    url: request.url ?? '',
    headers: raw.flatMap((name, at) =>
      at % 2 === 0 ? [[name.toLowerCase(), raw[at + 1] ?? ''] as [string, string]] : []
    ),
    body: Buffer.concat(chunks),
    connection: sockets.indexOf(request.socket)
  }
}

function perform(play: Play, response: ServerResponse, success: unknown): void {
  const good = Buffer.from(JSON.stringify(success))
  const socket = response.socket
  if (play === 'reset') socket?.resetAndDestroy()
  else if (play === 'close') socket?.destroy()
  else if (play === 'stall') response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
  else if (play === 'dribble') dribble(response)
  else if (play === 'cut') {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': good.length })
    response.write(good.subarray(0, Math.floor(good.length / 2)), () => socket?.resetAndDestroy())
  } else if (play !== 'silence') answer(play, response)
}

function answer({ status, headers, body }: Answer, response: ServerResponse): void {
  const bytes = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  const type = bytes !== body && { 'content-type': 'application/json; charset=utf-8' }
  response.writeHead(status, { ...type, 'content-length': Buffer.byteLength(bytes ?? ''), ...headers }).end(bytes)
}

function dribble(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  const timer = setInterval(() => response.write(' '), 20)
  response.once('close', () => clearInterval(timer))
}

/** A server that speaks no HTTP: what it does with each connection, and with the first bytes on it. */
export async function openSocketServer(act: {
  connection?: (socket: Socket) => void
  data?: (socket: Socket, bytes: Buffer) => void
}): Promise<{ port: number; close: () => Promise<void> }> {
  const sockets = new Set<Socket>()
  const server = createTcpServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
    socket.once('data', bytes => act.data?.(socket, bytes))
    act.connection?.(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    }
  }
}

/** An address on loopback where nobody listens. */
export async function closedPort(): Promise<number> {
  const { port, close } = await openSocketServer({})
  await close()
  return port
}
