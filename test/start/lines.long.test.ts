import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startSandbox } from '../../src/sandbox/index.ts'
import { matonKey, until } from '../helper.ts'
import { place, run, text } from '../life/run.ts'
import { tryStart } from './starts.ts'

// What a start says of itself, and how a support case is followed through the log.

interface Line {
  msg: string
  [member: string]: unknown
}
const linesOf = (output: string): Line[] =>
  output
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as Line)

async function live(t: Test, env: Record<string, string> = {}) {
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
  t.teardown(() => sandbox.close())
  return run(t, { directory: place(t), matonUrl: sandbox.url, env })
}

t.test('one line says version, mode, store, channels and addresses', async t => {
  const board = await live(t, { WEBHOOK_PORT: '0', METRICS_PORT: '0', PUBLIC_URL: 'https://sb.example' })
  const [line, ...more] = linesOf(board.output()).filter(({ msg }) => msg === 'listening')
  t.strictSame(more, [])
  t.match(line, {
    version: '0.1.0',
    node: process.version,
    mode: 'live',
    store: 'sqlite',
    channels: ['cloud'],
    address: /^http:\/\/127\.0\.0\.1:\d+$/,
    webhooks: /^http:\/\/127\.0\.0\.1:\d+$/,
    metrics: /^http:\/\/127\.0\.0\.1:\d+$/,
    publicUrl: 'https://sb.example'
  })
  t.equal((await fetch(`${line!.metrics}/metrics`)).status, 200)
  t.equal(await board.end(), 0)
})

t.test('from the request id of a caller to the message, its channel, its provider’s id, and back', async t => {
  const board = await live(t)
  const answer = await board.call('POST', '/messages', text('14155551234'), {
    'x-request-id': 'case-4711',
    prefer: 'respond-async'
  })
  const { id } = answer.body
  const about = (what: string) => linesOf(board.output()).filter(line => JSON.stringify(line).includes(what))
  const tried = (
    await until(
      () => about(id),
      lines => lines.some(({ msg }) => msg === 'a message was tried')
    )
  ).find(({ msg }) => msg === 'a message was tried')
  t.match(tried, { message: id, channel: 'cloud', state: 'accepted', providerMessageId: /^wamid/ })
  await until(
    () => about('case-4711'),
    lines => lines.some(({ msg }) => msg === 'answered')
  )
  t.match(
    about('case-4711').find(({ msg }) => msg === 'answered'),
    { message: id, channel: 'cloud', operation: 'sendMessage' }
  )
  await board.call('GET', '/channels/cloud/health', undefined, { 'x-request-id': 'case-4712' })
  t.match(
    await until(
      () => about('case-4712'),
      lines => lines.length > 0
    ),
    [{ channel: 'cloud' }]
  )
  t.notMatch(board.output(), '14155551234')
  await board.end()
})

t.test('LOG_PRETTY=1 writes for a person’s eyes', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-pretty-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const { said } = await tryStart({ DATA_DIR: directory, LOG_PRETTY: '1' })
  t.match(said, /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: listening$/m)
  t.match(said, /^ {4}mode: "sandbox"$/m)
  t.notMatch(said, /^\{/m)
  t.ok(
    said.split('\n').every(line => line.length < 200),
    'no line of the welcome is longer than a screen'
  )
})
