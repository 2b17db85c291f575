import { spawn } from 'node:child_process'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startSandbox } from '../../src/sandbox/index.ts'
import { matonKey, until } from '../helper.ts'
import { serve } from '../process.ts'
import { startPostgres } from '../store/postgres.ts'
import { place, run, text } from './run.ts'

// Two releases side by side on the tables of the newer one (docs/reliability.md P34). OLD_RELEASE names the folder of an
// older release, to try that one by hand; without it this release runs while the next one's migration is applied.

const KEY_PEPPER = 'p'.repeat(40)
const old = process.env.OLD_RELEASE

/** Starts src/server.ts of a folder; resolves to its address. */
async function startOld(t: Test, folder: string, env: Record<string, string>): Promise<string> {
  const child = spawn(process.execPath, ['src/server.ts'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise(resolve => child.once('close', resolve))
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
  })
  let said = ''
  child.stdout.on('data', chunk => (said += chunk))
  const found = await until(
    () => /"address":"(http[^"]+)"/.exec(said)?.[1],
    address => address !== undefined
  )
  return found!
}

t.test('an older release goes on while a newer one brings the tables up to date', { timeout: 120_000 }, async t => {
  const cluster = await startPostgres(t)
  const name = await cluster.database()
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
  t.teardown(() => sandbox.close())
  const directory = place(t)
  const env = { DATABASE_URL: cluster.url(name), KEY_PEPPER }
  const oldUrl = old
    ? await startOld(t, old, {
        PATH: process.env.PATH!,
        MATON_API_KEY: matonKey,
        MATON_BASE_URL: sandbox.url,
        MATON_CONTROL_URL: sandbox.url,
        MATON_RATE_PER_SECOND: '0',
        ADMIN_KEY: 'test-admin-key-0123456789-0123456789',
        DATA_DIR: directory,
        PORT: '0',
        CHANNELS_FILE: join(directory, 'channels.json'),
        ...env
      })
    : (await run(t, { directory, matonUrl: sandbox.url, env })).url

  const answers: { from: string; status: number; id?: string }[] = []
  let sent = 0
  const send = async (from: string, url: string): Promise<void> => {
    const answer = await fetch(`${url}/messages`, {
      method: 'POST',
      headers: { authorization: 'Bearer test-admin-key-0123456789-0123456789', 'content-type': 'application/json' },
      body: JSON.stringify(text(`1415555${1000 + sent++}`))
    })
    const body = (await answer.json()) as { id?: string }
    answers.push({ from, status: answer.status, ...(body.id && { id: body.id }) })
  }
  let stop = false
  const senders = [oldUrl].map(async url => {
    while (!stop) await send('old', url)
  })
  await until(
    () => answers.length,
    count => count > 10
  )
  let newUrl: string
  if (old) {
    newUrl = (await run(t, { directory, matonUrl: sandbox.url, env })).url
  } else {
    newUrl = (await run(t, { directory, matonUrl: sandbox.url, env })).url
    // What a migration may do: add.
    await cluster.query('alter table messages add column of_tomorrow text', name)
    await cluster.query(
      `create index messages_of_tomorrow on messages (of_tomorrow) where of_tomorrow is not null`,
      name
    )
    await cluster.query(`insert into migrations (name) values ('999_of_tomorrow')`, name)
  }
  const at = answers.length
  senders.push(
    (async () => {
      while (!stop) await send('new', newUrl)
    })()
  )
  await until(
    () => [
      answers.slice(at).filter(({ from }) => from === 'old').length,
      answers.filter(({ from }) => from === 'new').length
    ],
    counts => counts.every(count => count > 20)
  )
  stop = true
  await Promise.all(senders)
  t.strictSame(
    answers.filter(({ status }) => status !== 201),
    [],
    `${answers.length} messages, and each was accepted`
  )
  const [{ id: byOld }, { id: byNew }] = [
    answers.find(({ from }) => from === 'old')!,
    answers.find(({ from }) => from === 'new')!
  ]
  for (const [url, id] of [
    [oldUrl, byNew],
    [newUrl, byOld]
  ]) {
    const answer = await fetch(`${url}/messages/${id}`, {
      headers: { authorization: 'Bearer test-admin-key-0123456789-0123456789' }
    })
    t.equal(answer.status, 200, 'each reads what the other made')
  }
  t.equal(sandbox.ledger.sends().length, answers.length, 'each went out once')

  if (old) return
  await t.rejects(
    serve(directory, sandbox.url, { ...env, DATA_DIR: directory }),
    /tables of a newer release/,
    'but it does not start on tables that it does not know'
  )
})
