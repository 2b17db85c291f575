import { createServer } from 'node:net'

/** A port of loopback that was free a moment ago, for what has to know its own address before it listens, or keeps it over several lives. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}
