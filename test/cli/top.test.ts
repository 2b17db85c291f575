import { spawn } from 'node:child_process'
import t from 'tap'
import { adminKey, startBoard } from '../helper.ts'

/** The real command, in a process of its own, with its output piped. */
function run(args: string[], env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [new URL('../../src/cli/top.ts', import.meta.url).pathname, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (output += chunk))
  return new Promise(resolve => child.once('close', code => resolve({ code, output })))
}

t.test('the first two questions are answered in plain text where the output is no terminal', async t => {
  const board = await startBoard(t)
  await board.call('POST', '/channels/wati/pause')
  const text = { to: '14155550001', type: 'text', text: { body: 'Hello' } }
  await board.call('POST', '/messages', { body: { channel: 'cloud', ...text } })
  const waits = { headers: { prefer: 'respond-async' } }
  await board.call('POST', '/messages', { body: { channel: 'wati', ...text }, ...waits })
  const { code, output } = await run([], { SWITCHBOARD_KEY: adminKey, SWITCHBOARD_URL: board.url })
  t.equal(code, 0, output)
  t.match(output, /^cloud +ok +\d+ \(\d+\)/m)
  t.match(output, /^wati +paused/m)
  t.match(output, /^1 waiting$/m)
  t.match(output, /^admin +interactive +wati +- +1 +\d+ s +stopped: channel$/m)
  t.notMatch(output, /\x1b/)
})

t.test('what is wrong is one sentence', async t => {
  const board = await startBoard(t)
  const url = { SWITCHBOARD_URL: board.url }
  const without = await run([], url)
  t.equal(without.code, 1)
  t.match(without.output, /^SWITCHBOARD_KEY is not set/)
  const weak = await run([], { ...url, SWITCHBOARD_KEY: await board.key() })
  t.match(weak, { code: 1, output: /^403: .*read_all/ })
  const nowhere = await run(['--url', 'http://127.0.0.1:1'], { SWITCHBOARD_KEY: adminKey })
  t.match(nowhere, { code: 1, output: /cannot be reached/ })
})
