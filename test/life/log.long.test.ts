import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { startSandbox } from '../../src/sandbox/index.ts'
import { freePort } from '../free-port.ts'
import { adminKey, cloudSettings, matonKey } from '../helper.ts'
import { file } from '../process.ts'
import { until as untilRight } from '../until.ts'

const until = (is: () => boolean | Promise<boolean>): Promise<boolean> => untilRight(async () => is(), Boolean)

// docs/reliability.md P51: a log on a full disk, without a reader, or with one that reads nothing, under a whole server. Messages
// go on, the loss is counted, SIGTERM ends it.

interface Logged {
  child: ChildProcess
  call: (method: 'GET' | 'POST', path: string, body?: unknown) => Promise<{ status: number; text: string }>
  /** Sends a message and waits until the provider has it. */
  send: () => Promise<void>
  lost: () => Promise<number>
  /** How it ends after SIGTERM: its exit code and signal. */
  stop: () => Promise<unknown[]>
}

async function start(
  t: Test,
  stdio: StdioOptions,
  command?: (node: string, entry: string) => string[]
): Promise<Logged> {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-log-'))
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
  const port = await freePort()
  const [program, ...args] = command?.(process.execPath, file('src/server.ts')) ?? [
    process.execPath,
    file('src/server.ts')
  ]
  const env = {
    ...{ PATH: process.env.PATH, MATON_API_KEY: matonKey, MATON_BASE_URL: sandbox.url, MATON_CONTROL_URL: sandbox.url },
    ...{ MATON_RATE_PER_SECOND: '0', ADMIN_KEY: adminKey, DATA_DIR: directory, PORT: String(port) }
  }
  const child = spawn(program!, args, { env, stdio })
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
    await sandbox.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const call: Logged['call'] = async (method, path, body) => {
    const answer = await request(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${adminKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        'x-request-id': 'r'.repeat(128),
        traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01-${'c'.repeat(190)}`
      },
      body: body === undefined ? null : JSON.stringify(body)
    })
    return { status: answer.statusCode, text: await answer.body.text() }
  }
  await until(async () => (await call('GET', '/livez').catch(() => ({ status: 0 }))).status === 200)
  const channel = { id: 'cloud', provider: 'whatsapp-cloud', connectionId: 'cloud-connection', settings: cloudSettings }
  t.equal((await call('POST', '/channels', channel)).status, 201)
  const { secret } = JSON.parse(
    (await call('POST', '/keys', { service: 'billing', mode: 'live', scopes: ['messages:send'] })).text
  )
  let sent = 0
  return {
    child,
    call,
    send: async () => {
      const answer = await request(`http://127.0.0.1:${port}/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        body: JSON.stringify({ channel: 'cloud', to: `+1415555${1000 + sent++}`, type: 'text', text: { body: 'x' } })
      })
      t.match(await answer.body.json(), { status: /^(accepted|sent)$/ })
    },
    lost: async () =>
      Number(/^switchboard_log_lines_lost_total (\d+)$/m.exec((await call('GET', '/metrics')).text)?.[1]),
    stop: async () => {
      child.kill('SIGTERM')
      return await ended
    }
  }
}

t.test('standard output on a full disk: it starts, sends, counts the loss and ends', async t => {
  const full = openSync('/dev/full', 'w')
  const server = await start(t, ['ignore', full, full])
  await server.send()
  await until(async () => (await server.lost()) > 0)
  await server.send()
  t.strictSame(await server.stop(), [0, null])
})

t.test('a reader that goes away: it sends on, counts the loss and ends', async t => {
  const server = await start(t, ['ignore', 'pipe', 'pipe'])
  server.child.stdout!.destroy()
  server.child.stderr!.destroy()
  await server.send()
  await until(async () => (await server.lost()) > 0)
  await server.send()
  t.strictSame(await server.stop(), [0, null])
})

t.test(
  'a reader that reads nothing, of output and errors in one pipe: it sends on, counts the loss and ends',
  async t => {
    const server = await start(t, ['ignore', 'pipe', 'ignore'], (node, entry) => [
      ...['sh', '-c', `exec "${node}" "${entry}" 2>&1`]
    ])
    await until(async () => {
      await Promise.all(Array.from({ length: 50 }, () => server.call('GET', '/nowhere')))
      return (await server.lost()) > 0
    })
    await server.send()
    t.strictSame(await server.stop(), [0, null])
  }
)
