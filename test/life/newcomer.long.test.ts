import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { scenarios } from '../../src/sandbox/index.ts'
import { begin, blocksOf, terminal } from '../docs/commands.ts'
import { file } from '../process.ts'
import { until } from '../until.ts'

// The first minutes of a newcomer: the process with no setting at all, the README's messages, and what comes back.

const root = file('')

/** Starts the process in sandbox mode; what it printed, and calls with the demo key. */
async function arrive(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-newcomer-'))
  const start = { page: 'README.md', line: 1, kind: 'start' as const, text: `exec ${process.execPath} src/main.js` }
  const { child, address, said } = await begin(root, start, { PORT: '0', DATA_DIR: folder })
  t.teardown(async () => {
    child.kill('SIGTERM')
    await new Promise(resolve => child.once('close', resolve))
    rmSync(folder, { recursive: true })
  })
  const [KEY, ADMIN] = ['KEY', 'ADMIN'].map(name => new RegExp(`^\\s+${name}=(\\S+)$`, 'm').exec(said)![1]!)
  const get = async (path: string) => {
    const answer = await request(address.origin + path, { headers: { authorization: `Bearer ${KEY}` } })
    // biome-ignore lint/suspicious/noExplicitAny: answers of every route
    return (await answer.body.json()) as any
  }
  const run = terminal(root, folder, address, { KEY: KEY!, ADMIN: ADMIN! })
  return { said, get, folder, run }
}
const idsIn = (text: string): string[] => [...text.matchAll(/"id":"(msg_\w+)"/g)].map(([, id]) => id!)

t.test('what the README sends first is read within seconds, and somebody replies', { timeout: 60_000 }, async t => {
  const { said, get, folder, run } = await arrive(t)
  const [, first] = blocksOf('README.md', readFileSync(join(root, 'README.md'), 'utf8')).filter(
    ({ kind, text }) => kind !== 'elsewhere' && /POST|npm start|\/messages /.test(text)
  )
  const ids = idsIn(await run(first!))
  t.equal(ids.length, 2, first!.text)
  for (const id of ids)
    t.match(
      await until(
        () => get(`/messages/${id}`),
        ({ status }) => status === 'read'
      ),
      { mode: 'test', final: true, sentAt: String, deliveredAt: String, readAt: String }
    )

  t.strictSame((await get('/messages?direction=inbound')).items, [], 'nobody has written yet')
  const page = blocksOf('docs/sandbox.md', readFileSync(join(root, 'docs/sandbox.md'), 'utf8'))
  const ask = page.find(({ text }) => text.includes('15550100111'))!
  const [asked] = idsIn(await run(ask))
  const { items } = await until(
    () => get('/messages?direction=inbound'),
    ({ items }) => items.length > 0
  )
  t.match(items, [{ from: '15550100111', type: 'text', text: { body: /^Thanks/ }, replyTo: asked, status: 'received' }])

  const db = new DatabaseSync(join(folder, 'switchboard.db'), { readOnly: true })
  for (const table of ['messages', 'webhooks', 'heard_events', 'message_ids'])
    t.strictSame(
      db
        .prepare(`select distinct mode from ${table}`)
        .all()
        .map(row => row.mode),
      ['test'],
      `${table}: no live row`
    )
  db.close()
  for (const { name } of scenarios) t.ok(said.includes(name), `the start names ${name}`)
  const [inbound] = /curl -sS '\S+\?direction=inbound' -H '[^']+'/.exec(said)!
  t.match(await run({ page: 'start', line: 1, kind: 'run', text: inbound }), '15550100111', 'the printed curl works')
})
