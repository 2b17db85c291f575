import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { connectionsFor, descriptorLimit } from '../../src/descriptors.ts'
import { startSandbox } from '../../src/sandbox/index.ts'
import { adminKey, matonKey, startBoard } from '../helper.ts'
import { serve } from '../process.ts'
import { until } from '../until.ts'
import { place, text } from './run.ts'

// docs/reliability.md P51: strangers who hold sockets take nothing from others, and used-up descriptors end nothing.

/** A connection of its own, kept alive: what it says, and what it is answered. */
function connection(url: string) {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let heard = ''
  socket.on('data', chunk => (heard += chunk)).on('error', () => {})
  const ask = async (
    method: string,
    path: string,
    body?: unknown,
    key = adminKey
  ): Promise<{ status: number; text: string }> => {
    const json = body === undefined ? '' : JSON.stringify(body)
    heard = ''
    socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: x\r\n${key && `Authorization: Bearer ${key}\r\n`}${json && 'Content-Type: application/json\r\n'}Content-Length: ${json.length}\r\n\r\n${json}`
    )
    await until(
      () => heard,
      all => {
        const at = all.indexOf('\r\n\r\n')
        const length = Number(/content-length: (\d+)/i.exec(all)?.[1])
        return at > 0 && Buffer.byteLength(all) >= at + 4 + length
      }
    )
    return { status: Number(heard.slice(9, 12)), text: heard }
  }
  return { socket, ask }
}

t.test('more idle sockets than descriptors: the process lives, messages go on, the next callers come in', async t => {
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
  t.teardown(() => sandbox.close())
  const server = await serve(place(t), sandbox.url, {}, 'ulimit -n 200')
  t.teardown(async () => {
    server.child.kill('SIGKILL')
    await server.ended
  })
  const caller = connection(server.url)
  const { text: made } = await caller.ask('POST', '/keys', {
    service: 'billing',
    mode: 'live',
    scopes: ['messages:send']
  })
  const key = JSON.parse(made.slice(made.indexOf('{'))).secret
  const strangers: Socket[] = Array.from({ length: 260 }, () =>
    connect(Number(new URL(server.url).port), '127.0.0.1')
      .on('error', () => {})
      .resume()
  )
  t.teardown(() => {
    for (const socket of [...strangers, caller.socket]) socket.destroy()
  })
  // A socket beyond the limit is closed at once, another one a few seconds later, since it says nothing.
  await until(
    () => strangers.filter(socket => socket.closed).length,
    closed => closed >= 100
  )
  t.ok(
    strangers.some(socket => !socket.closed),
    'CONTROL: the limit is reached'
  )
  for (let i = 0; i < 5; i++) {
    const { status } = await caller.ask('POST', '/messages', text(`1415555100${i}`), key)
    t.equal(status, 201, 'a message beside them')
  }
  const { text: metrics } = await caller.ask('GET', '/metrics')
  t.match(metrics, /switchboard_connections_refused_total 1\d\d/)
  await until(
    () => strangers.filter(socket => !socket.closed).length,
    open => open === 0
  )
  const next = connection(server.url)
  t.equal((await next.ask('GET', '/livez', undefined, '')).status, 200, 'and then others come in')
  next.socket.destroy()
  server.child.kill('SIGTERM')
  t.equal(await server.ended, 0)
})

t.test('where connections are scarce, strangers are not kept connected after their answer', async t => {
  const { url } = await startBoard(t, { env: { MAX_CONNECTIONS: '8' } })
  const stranger = connection(url)
  t.teardown(() => stranger.socket.destroy())
  t.notMatch(
    (await stranger.ask('GET', '/livez', undefined, '')).text,
    /^connection: close/im,
    'CONTROL: else they are'
  )
  const others = Array.from({ length: 4 }, () => connection(url))
  t.teardown(() => others.forEach(({ socket }) => void socket.destroy()))
  for (const other of others)
    t.notMatch((await other.ask('GET', '/channels')).text, /^connection: close/im, 'with a key')
  const ended = once(stranger.socket, 'end')
  t.match((await stranger.ask('GET', '/livez', undefined, '')).text, /^connection: close/im)
  await ended
})

t.test('connections leave a part of the descriptors, whatever is set', async t => {
  t.ok(descriptorLimit() === undefined || descriptorLimit()! > 0)
  for (const [wanted, limit, most] of [
    [undefined, 1_048_576, 5000],
    [undefined, undefined, 5000],
    [undefined, 1024, 768],
    [undefined, 200, 136],
    [10_000, 1024, 768],
    [100, 1024, 100],
    [10_000, undefined, 10_000],
    [undefined, 64, 8]
  ] as const)
    t.equal(connectionsFor(wanted, limit), most, `${wanted} of ${limit}`)
})

t.test('the watcher of memory cannot throw where no descriptor is left', async t => {
  const overload = new URL('../../src/http/overload.ts', import.meta.url).href
  const source = `
    import { openSync } from 'node:fs'
    import { memoryFull } from ${JSON.stringify(overload)}
    try { for (;;) openSync('/dev/null') } catch {}
    const said = [true, false].map(before => memoryFull(0, 0, before))
    try { process.memoryUsage.rss() } catch (error) { said.push(error.code) }
    process._rawDebug(JSON.stringify(said))`
  const printed = execFileSync(
    'sh',
    ['-c', 'ulimit -n 100; exec "$0" --input-type=module -e "$1" 2>&1', process.execPath, source],
    { encoding: 'utf8' }
  )
  // What follows is the test runner's own, which cannot open its file as the process ends.
  const [said] = printed.split('\n')
  t.strictSame(JSON.parse(said!), [true, false, 'EMFILE'], 'CONTROL: the last is what Node throws')
})
