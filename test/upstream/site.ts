import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { createEgress, type EgressOptions } from '../../src/upstream/egress.ts'

/** A unicast address that is nobody's in these tests: no dial of theirs connects to it. */
export const PUBLIC = '93.184.216.34'
export const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')

/** A directory for downloads, and what the tests left in it. */
export async function spoolDirectory(t: Test): Promise<{ directory: string; left: () => Promise<string[]> }> {
  const directory = await mkdtemp(join(tmpdir(), 'egress-'))
  t.teardown(() => rm(directory, { recursive: true }))
  return { directory, left: () => readdir(directory) }
}

export async function listen(t: Test, server: Server & { closeAllConnections(): void }): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A server on loopback that the allow-list opens, on exactly its port. */
export async function site(t: Test, directory: string, answer: RequestListener, options: EgressOptions = {}) {
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    seen.push(request)
    answer(request, response)
  })
  const port = await listen(t, server)
  const egress = createEgress({ allow: [`127.0.0.1:${port}`], ...options })
  const get = (path: string, maxBytes = 1_000_000) =>
    egress.download(`http://127.0.0.1:${port}${path}`, { directory, maxBytes })
  return { port, seen, egress, get }
}
