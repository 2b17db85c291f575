import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'
import { listen } from './site.ts'

export interface Tunnel {
  url: string
  port: number
  /** What CONNECT asked for, e.g. `api.example:443`, each time. */
  asked: string[]
  /** Requests that came as a whole instead. */
  forwarded: string[]
  /** Proxy-Authorization of each, where there was one. */
  credentials: (string | undefined)[]
}

/**
 * A proxy on loopback that takes CONNECT. It opens the tunnel to where `to` says, for a name that only a proxy resolves;
 * or answers with a status that is no 200.
 */
export async function openTunnel(
  t: Test,
  to: (target: string) => number | { status: number } = target => Number(target.split(':').at(-1))
): Promise<Tunnel> {
  const tunnel: Tunnel = { url: '', port: 0, asked: [], forwarded: [], credentials: [] }
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    tunnel.forwarded.push(request.url ?? '')
    response.writeHead(502).end()
  })
  server.on('connect', (request, socket: Socket, head) => {
    tunnel.asked.push(request.url ?? '')
    tunnel.credentials.push(request.headers['proxy-authorization'])
    sockets.add(socket)
    socket.on('error', () => {})
    const where = to(request.url ?? '')
    if (typeof where === 'object') return socket.end(`HTTP/1.1 ${where.status} No\r\ncontent-length: 0\r\n\r\n`)
    const far = connect(where, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      far.write(head)
      socket.pipe(far).pipe(socket)
    })
    sockets.add(far)
    far.on('error', () => socket.destroy())
    socket.on('close', () => far.destroy())
    far.on('close', () => socket.destroy())
  })
  tunnel.port = await listen(t, server)
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  tunnel.url = `http://127.0.0.1:${tunnel.port}`
  return tunnel
}
