import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { adminKey, type Board, startBoard } from '../helper.ts'
import { file } from '../process.ts'

interface Ran {
  code: number | null
  out: string
  err: string
  // biome-ignore lint/suspicious/noExplicitAny: each line is what its command says
  lines: any[]
}
/** The real command, in a process of its own, its output on a pipe. */
async function keys(env: Record<string, string>, ...args: string[]): Promise<Ran> {
  const child = spawn(process.execPath, [file('src/cli/keys.ts'), ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const ran = { out: '', err: '' }
  child.stdout.on('data', chunk => (ran.out += chunk))
  child.stderr.on('data', chunk => (ran.err += chunk))
  const code = await new Promise<number | null>(resolve => child.once('close', resolve))
  const json = ran.out.startsWith('{')
    ? ran.out
        .trim()
        .split('\n')
        .map(line => JSON.parse(line))
    : []
  return { code, ...ran, lines: json }
}
const pepper = 'p'.repeat(32)
const self = async (board: Board, key: string) => (await board.call('GET', '/keys/self', { key })).status
function folder(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-keys-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

for (const where of ['in the store of a server that is stopped', 'of a server that runs'] as const)
  t.test(`keys ${where} are made, listed, rotated, ended and revoked`, async t => {
    const directory = folder(t)
    let board = await startBoard(t, { directory })
    const running = where === 'of a server that runs'
    const env: Record<string, string> = running
      ? { SWITCHBOARD_KEY: adminKey, SWITCHBOARD_URL: board.url }
      : { DATA_DIR: directory, KEY_PEPPER: pepper }
    /** The server is there only while it is asked. */
    const ask = async (key: string): Promise<number> => {
      if (!running) board = await startBoard(t, { directory, sandbox: board.sandbox })
      const status = await self(board, key)
      if (!running) await board.close()
      return status
    }
    if (!running) await board.close()

    const options = [
      '--scopes',
      'messages:send,messages:read',
      '--channels',
      'cloud',
      '--per-day',
      '100',
      '--time-zone',
      'Europe/Berlin'
    ]
    const made = await keys(env, 'make', '--service', 'billing', '--mode', 'live', '--name', 'n', ...options)
    t.equal(made.code, 0, made.err)
    const [{ id, secret, ...key }] = made.lines
    t.match(key, {
      service: 'billing',
      name: 'n',
      channels: ['cloud'],
      quota: { perDay: 100, timeZone: 'Europe/Berlin' }
    })
    t.equal(await ask(secret), 200)

    const rotated = await keys(env, 'rotate', id, '--overlap', '600')
    t.equal(rotated.code, 0, rotated.err)
    const next = rotated.lines[0].secret
    for (const each of [secret, next]) t.equal(await ask(each), 200)
    const old = await keys(env, 'old')
    t.match(old.lines, [
      { key: id, service: 'billing', lastFour: secret.slice(-4), expiresAt: String, lastUsedFrom: '127.0.0.1' }
    ])
    t.equal(old.lines.length, 1)
    const listed = await keys(env, 'list', '--service', 'billing')
    t.match(listed.lines, [{ id, lastFour: next.slice(-4) }])
    t.strictSame((await keys(env, 'list', '--unused-days', '0', '--service', 'other')).lines, [])
    t.notMatch(listed.out + old.out, secret.slice(13, 40), 'no list holds a secret')

    t.equal((await keys(env, 'end', id, old.lines[0].secret)).code, 0)
    t.equal(await ask(secret), 401)
    const revoked = await keys(env, 'revoke', id)
    t.strictSame(revoked.lines, [{ key: id, revoked: true }])
    t.equal(await ask(next), 401)
    t.strictSame((await keys(env, 'old')).lines, [])

    const refused = await keys(env, 'rotate', id)
    t.equal(refused.code, 1)
    t.match(refused.err, /is revoked/)
    t.equal((await keys(env, 'revoke', 'key_0')).code, 1)
    if (!running) board = await startBoard(t, { directory, sandbox: board.sandbox })
    const audit = (await board.call('GET', `/audit?target=${id}`)).body.items.map(
      (entry: { actor: string; action: string }) => `${entry.actor} ${entry.action}`
    )
    const who = running ? 'key_admin' : 'terminal'
    t.strictSame(
      audit,
      ['key.revoked', 'key.secret_ended', 'key.rotated', 'key.created'].map(action => `${who} ${action}`)
    )
  })

t.test('what the command cannot do is said in a sentence, and a secret is none of its arguments', async t => {
  const directory = folder(t)
  const empty = await keys({ DATA_DIR: directory }, 'list')
  t.equal(empty.code, 1)
  t.match(empty.err, /holds no store/)
  const board = await startBoard(t, { directory })
  const env = { DATA_DIR: directory, KEY_PEPPER: pepper }
  const busy = await keys(env, 'list')
  t.equal(busy.code, 1)
  t.match(busy.err, /another Switchboard runs.*\n.*SWITCHBOARD_KEY/)
  const over = { SWITCHBOARD_KEY: adminKey, SWITCHBOARD_URL: board.url }
  t.match(await keys({ ...over, SWITCHBOARD_KEY: 'x'.repeat(40) }, 'list'), { code: 1, err: /^401: / })
  t.match(await keys({ ...over, SWITCHBOARD_URL: 'http://127.0.0.1:9' }, 'list'), { code: 1, err: /cannot be reached/ })
  const key = await board.key()
  const shown = await keys(over, 'revoke', key)
  t.match(shown, { code: 1, err: /takes ids/ })
  t.notMatch(shown.err, key.slice(13, 40))
  t.equal(await self(board, key), 200)
  await board.close()
  t.match(await keys({ ...env, KEY_PEPPER: 'q'.repeat(32) }, 'list'), { code: 1, err: /another pepper/ })
  const faults: [args: string[], said: RegExp][] = [
    [['make', '--service', 'X Y', '--mode', 'live', '--scopes', 'messages:send'], /service/],
    [['make', '--service', 'x', '--mode', 'live', '--scopes', 'messages:fly'], /scopes/],
    [['make', '--service', 'x', '--mode', 'live', '--scopes', 'messages:send', '--per-day', 'many'], /--per-day/],
    [['make', '--service', 'x', '--mode', 'test', '--scopes', 'admin'], /live keys alone/],
    [['rotate', 'key_0', '--overlap', '9999999'], /--overlap/]
  ]
  for (const [args, said] of faults) t.match(await keys(env, ...args), { code: 1, err: said }, args.join(' '))
  for (const args of [[], ['fly'], ['rotate'], ['list', 'key_0'], ['list', '--secret', 'x']])
    t.equal((await keys(env, ...args)).code, 2, args.join(' '))
  t.match(await keys({}, '--help'), { code: 0, out: /npm run keys -- rotate KEY_ID/ })
})
