import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

// The proof that a provider is one folder on each side: a third one, made by the script in a copy of the project, passes the
// suite and the type check, and no file of the project has changed but the two registries, by a line each.

const root = new URL('../..', import.meta.url).pathname
const copied = [
  'src',
  'routes',
  'schemas',
  'test',
  'package.json',
  'tsconfig.json',
  'biome.json',
  'openapi.yaml',
  'README.md',
  'CONTRIBUTING.md',
  'docs'
]

const copy = mkdtempSync(join(tmpdir(), 'switchboard-provider-'))
t.teardown(() => rmSync(copy, { recursive: true }))
for (const each of copied) cpSync(join(root, each), join(copy, each), { recursive: true })
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))

const run = promisify(execFile)
// Without what the runner puts on every child: its loaders cannot load the compiler.
const node = (...args: string[]) =>
  run('env', ['-u', 'NODE_OPTIONS', '-u', 'TAP', '-u', 'TAP_CHILD_ID', process.execPath, ...args], {
    cwd: copy,
    maxBuffer: 1 << 26
  })

const files = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(path => statSync(join(folder, path)).isFile())

await node('src/cli/new-provider.ts', 'parrot')

t.test('only the registries have changed, by a line each', async t => {
  const changed: string[] = []
  for (const folder of ['src', 'routes', 'schemas', 'test'])
    for (const path of files(join(root, folder))) {
      const [before, after] = [root, copy].map(at => readFileSync(join(at, folder, path), 'utf8'))
      if (before === after) continue
      changed.push(`${folder}/${path}`)
      t.equal(after!.split('\n').length - before!.split('\n').length, 1, path)
    }
  t.strictSame(changed.sort(), ['src/adapters/all.ts', 'src/sandbox/all.ts'])
})

t.test('it passes the suite of every provider, the floor plan and the type check', async t => {
  for (const file of ['test/adapters/parrot.conformance.test.ts', 'test/architecture.test.ts']) {
    const { stdout } = await node(file).catch(error => error as { stdout: string })
    t.match(stdout, /# \{ total: [1-9]\d*, pass: \d+ \}/, `${file} passes`)
  }
  await t.resolves(node('node_modules/typescript/bin/tsc', '-p', '.'))
})

t.test('the sandbox answers it in its own words', async t => {
  const script = `
    import { startSandbox } from './src/sandbox/index.ts'
    const sandbox = await startSandbox()
    const answer = await fetch(sandbox.url + '/parrot/v1/messages', {
      method: 'POST',
      headers: { authorization: 'Bearer x', 'maton-connection': 'c', 'content-type': 'application/json' },
      body: JSON.stringify({ to: '15550100002', text: 'Hello' })
    })
    console.log(answer.status, await answer.text())
    await sandbox.close()`
  const { stdout } = await node('--input-type=module', '-e', script)
  t.match(stdout, /^422 \{"error":\{"code":"window_closed"/)
})

t.test('its statuses reach its messages, and what people write comes in: for the price of its third table', async t => {
  const script = `
    import { pino } from 'pino'
    import { adapters } from './src/adapters/index.ts'
    import { loadConfig } from './src/config.ts'
    import { buildContainer } from './src/container.ts'
    import { startSandbox } from './src/sandbox/index.ts'
    import { until } from './test/until.ts'
    const ADMIN_KEY = 'test-admin-key-0123456789-0123456789'
    const config = loadConfig({ ADMIN_KEY, DATA_DIR: ${JSON.stringify(join(copy, 'data'))} })
    const board = await buildContainer(config, {
      adapters, log: pino({ level: 'silent' }), pepper: 'p'.repeat(32),
      startSandbox: hooks => startSandbox({ ...hooks, tempoMs: 0 })
    })
    await board.start()
    const url = await board.app.listen({ host: '127.0.0.1', port: 0 })
    const headers = { authorization: 'Bearer ' + ADMIN_KEY, 'content-type': 'application/json' }
    const scopes = ['messages:send', 'messages:read', 'inbound:read']
    const call = async (method, path, body) =>
      (await fetch(url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })).json()
    await call('POST', '/channels', { id: 'bird', provider: 'parrot', connectionId: 'c', settings: {} })
    const { secret } = await call('POST', '/keys', { service: 'bird', mode: 'test', scopes })
    headers.authorization = 'Bearer ' + secret
    const text = { channel: 'bird', to: '15550100111', type: 'text', text: { body: 'Hello' } }
    const { id } = await call('POST', '/messages', text)
    const { status } = await until(() => call('GET', '/messages/' + id), ({ status }) => status === 'read')
    const { items } = await until(
      () => call('GET', '/messages?direction=inbound'), ({ items }) => items.length > 0)
    console.log(status, items[0].provider, items[0].from, items[0].text.body)
    await board.close()`
  const { stdout } = await node('--input-type=module', '-e', script).catch(error => error as { stdout: string })
  t.match(stdout, /^read parrot 15550100111 Thanks, got it\.$/m)
})

t.test('a name that is taken or no name is refused, and nothing is written', async t => {
  for (const name of ['wati', 'Parrot', '../x', ''])
    await t.rejects(node('src/cli/new-provider.ts', name), { stderr: /new-provider/ } as never, name)
})
