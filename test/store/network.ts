import { connect, createServer, type Socket } from 'node:net'

/** Passes bytes on until it is told to swallow them: a network that says nothing. */
export async function network(
  url: string
): Promise<{ url: string; swallow: () => void; cut: () => void; close: () => void }> {
  const target = new URL(url)
  const [port, host] = [Number(target.port), target.hostname]
  const sockets: Socket[] = []
  const server = createServer(near => {
    const far = connect(port, host)
    sockets.push(near, far)
    for (const socket of [near, far]) socket.on('error', () => socket.destroy())
    near.pipe(far).pipe(near)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const swallow = () => {
    for (const socket of sockets) {
      socket.unpipe()
      socket.resume()
    }
  }
  target.port = String((server.address() as { port: number }).port)
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  const close = () => {
    cut()
    server.close()
  }
  return { url: target.href, swallow, cut, close }
}
