import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import t, { type Test } from 'tap'
import { calm, everyBroadcastScope, table } from '../broadcasts/order.ts'
import { startBoard } from '../helper.ts'

/** The real command, in a process of its own. */
function run(args: string[], env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [new URL('../../src/cli/broadcast.ts', import.meta.url).pathname, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (output += chunk))
  return new Promise(resolve => child.once('close', code => resolve({ code, output })))
}
function folder(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-cli-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

t.test(
  'a file is sent, followed to its end, and its results written; the same command again sends nothing',
  async t => {
    const board = await startBoard(t)
    const directory = folder(t)
    const file = join(directory, 'people.csv')
    const results = join(directory, 'results.csv')
    writeFileSync(file, table(25))
    const env = { SWITCHBOARD_KEY: await board.key({ scopes: everyBroadcastScope }), SWITCHBOARD_URL: board.url }
    await calm(board, 'GET', '/broadcasts')
    const args = [file, '--template', 'order_update', '--language', 'en_US', '--channel', 'cloud', '--results', results]
    const first = await run(args, env)
    t.equal(first.code, 0, first.output)
    t.match(first.output, /brd_[0-9a-f]{32}: 25 recipients/)
    t.match(first.output, /finished: 25 accepted/)
    t.notMatch(first.output, env.SWITCHBOARD_KEY)
    const rows = parse(readFileSync(results), { columns: true, bom: true }) as { status: string }[]
    t.strictSame(
      rows.map(({ status }) => status),
      Array.from({ length: 25 }, () => 'accepted')
    )
    const sends = board.sandbox.ledger.sends().length
    const second = await run(args, env)
    t.equal(second.code, 0, second.output)
    t.match(second.output, /has been sent before/)
    t.equal(board.sandbox.ledger.sends().length, sends)
    const again = await run([...args, '--again', '--rate', '1000'], env)
    t.equal(again.code, 0, again.output)
    t.equal(board.sandbox.ledger.sends().length, 2 * sends, 'CONTROL: it can be asked for')
    const id = /brd_[0-9a-f]{32}/.exec(first.output)![0]
    t.match(await run(['--follow', id], env), { code: 0, output: /finished/ })
  }
)

t.test('bad rows are named, and can be left out; the exit code says how it ended', async t => {
  const board = await startBoard(t)
  const file = join(folder(t), 'people.csv')
  writeFileSync(file, `${table(2)}nobody,,Eve,1\r\n15550100001,,Away,2\r\n`)
  const env = { SWITCHBOARD_KEY: await board.key({ scopes: everyBroadcastScope }), SWITCHBOARD_URL: board.url }
  await calm(board, 'GET', '/broadcasts')
  const args = [file, '--template', 'order_update', '--language', 'en_US', '--channel', 'cloud']
  const refused = await run(args, env)
  t.match(refused, { code: 1, output: /\/file\/3\/phone must not hold letters/ })
  const partly = await run([...args, '--skip-invalid'], env)
  t.match(partly, { code: 3, output: /3 recipients, 1 bad rows left out/ })
  t.match(partly.output, /1 failed/)
})

t.test('what is missing is said without a stack', async t => {
  const file = join(folder(t), 'people.csv')
  writeFileSync(file, table(1))
  const cases: [args: string[], env: Record<string, string>, code: number, says: RegExp][] = [
    [[], {}, 2, /npm run broadcast/],
    [['--help'], {}, 0, /npm run broadcast/],
    [['--colour'], {}, 1, /--colour/],
    [[file, '--template', 'x'], {}, 1, /SWITCHBOARD_KEY is not set/],
    [['/nowhere.csv', '--template', 'x'], { SWITCHBOARD_KEY: 'k' }, 1, /nowhere\.csv/],
    [[file, '--template', 'x', '--url', 'http://127.0.0.1:1'], { SWITCHBOARD_KEY: 'k' }, 1, /cannot be reached/]
  ]
  await Promise.all(
    cases.map(async ([args, env, code, says]) => {
      const done = await run(args, env)
      t.match(done, { code, output: says }, args.join(' '))
      t.notMatch(done.output, /\n\s+at /, args.join(' '))
    })
  )
})
