import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { takeInConnected } from '../../src/http/connections.ts'

const count = 50

/** Connects so often, says so by a file once the system has all of them, and tells on its output how each one ended. */
const client = `
  const { connect } = require('node:net')
  const [port, count, file] = process.argv.slice(1)
  const all = Array.from({ length: count }, () => new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write('GET / HTTP/1.1\\r\\nhost: here\\r\\nconnection: close\\r\\n\\r\\n')
      if (--left === 0) require('node:fs').writeFileSync(file, '')
    })
    socket.once('data', () => resolve('answered'))
    socket.once('error', ({ code }) => resolve(code))
  }))
  let left = count
  Promise.all(all).then(ends => process.stdout.write(JSON.stringify(ends)))`

/** A server whose loop stands still while others connect, and that stops listening right afterwards. */
async function stopBehind(t: Test, before: (server: ReturnType<typeof createServer>) => Promise<void>) {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-connected-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const server = createServer((_, response) => void response.end('here'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const connected = join(directory, 'connected')
  const { port } = server.address() as AddressInfo
  const child = spawn(process.execPath, ['-e', client, String(port), String(count), connected], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', chunk => (output += chunk))
  const ended = once(child, 'close')
  while (!existsSync(connected)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
  await before(server)
  server.close()
  await ended
  return JSON.parse(output) as string[]
}

t.test('whoever has connected to a lagging server before it stops listening gets an answer', async t =>
  t.strictSame(await stopBehind(t, server => takeInConnected([server])), Array(count).fill('answered'))
)

t.test('CONTROL: without that they are reset', async t =>
  t.match(await stopBehind(t, async () => {}), Array(count).fill('ECONNRESET'))
)

t.test('it has an end where others connect all the time', async t => {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  const busy = setInterval(() => {}, 1)
  t.teardown(() => clearInterval(busy))
  let on = true
  const meet = (): void => {
    server.emit('drop')
    if (on) setImmediate(meet)
  }
  meet()
  await takeInConnected([server])
  on = false
})
