import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { startSandbox } from '../../src/sandbox/index.ts'
import { matonKey, until } from '../helper.ts'
import { backup, place, run, text } from './run.ts'

// npm run backup (docs/reliability.md P32), as a process of its own beside the running one.

async function upstream(t: Test) {
  const sandbox = await startSandbox({ apiKey: matonKey })
  t.teardown(() => sandbox.close())
  return sandbox
}
const idsIn = (file: string): Set<string> => {
  const db = new DatabaseSync(file, { readOnly: true })
  const rows = db.prepare('select id from messages').all() as { id: string }[]
  db.close()
  return new Set(rows.map(({ id }) => id))
}

t.test('a copy made under writes is whole, and holds every message that was acknowledged before it began', async t => {
  const sandbox = await upstream(t)
  const directory = place(t)
  const board = await run(t, { directory, matonUrl: sandbox.url })
  const acked: string[] = []
  let stop = false
  const senders = Array.from({ length: 4 }, async (_, i) => {
    for (let n = 0; !stop; n++)
      acked.push((await board.call('POST', '/messages', text(`1415${i}${1_000_000 + n}`))).body.id)
  })
  await until(
    () => acked.length,
    count => count > 50
  )
  for (let copy = 1; copy <= 3; copy++) {
    const before = [...acked]
    const to = join(directory, `copy-${copy}.db`)
    const { code, said } = await backup({ DATA_DIR: directory }, to)
    t.equal(code, 0, said)
    t.match(said, /whole.*key-pepper.*release/s)
    t.equal(statSync(to).mode & 0o777, 0o600, 'nobody else reads it')
    const there = idsIn(to)
    t.strictSame(
      before.filter(id => !there.has(id)),
      [],
      `copy ${copy}: ${before.length} acknowledged, ${there.size} there`
    )
  }
  stop = true
  await Promise.all(senders)
  t.strictSame(
    readdirSync(directory)
      .filter(name => name.startsWith('copy'))
      .sort(),
    ['copy-1.db', 'copy-2.db', 'copy-3.db'],
    'one file each'
  )
  t.ok(
    acked.some(id => !idsIn(join(directory, 'copy-1.db')).has(id)),
    'CONTROL: later ones are not in the first copy'
  )
  t.equal(await board.end(), 0, 'the server does not notice')
})

t.test('a copy can be made of a server that is stopped', async t => {
  const sandbox = await upstream(t)
  const directory = place(t)
  const board = await run(t, { directory, matonUrl: sandbox.url })
  const { id } = (await board.call('POST', '/messages', text('14155551234'))).body
  await board.end()
  t.match(await backup({ DATA_DIR: directory }, join(directory, 'copy.db')), { code: 0 })
  t.ok(idsIn(join(directory, 'copy.db')).has(id))
  const again = await run(t, { directory, matonUrl: sandbox.url })
  t.match(await again.call('GET', '/admin/hold'), { body: { held: false } }, 'the original is not stamped')
  t.equal(await again.end(), 0)
})

t.test('nothing is overwritten, nothing half is left, and what cannot be copied is said', async t => {
  const sandbox = await upstream(t)
  const directory = place(t)
  await (await run(t, { directory, matonUrl: sandbox.url })).end()
  const there = join(directory, 'there.db')
  writeFileSync(there, 'mine')
  t.match(await backup({ DATA_DIR: directory }, there), { code: 1, said: /exists already/ })
  t.equal(readFileSync(there, 'utf8'), 'mine')
  t.match(await backup({ DATA_DIR: directory }, join(directory, 'nowhere', 'x.db')), { code: 1, said: /ENOENT/ })
  t.match(await backup({ DATA_DIR: join(directory, 'empty') }, join(directory, 'x.db')), {
    code: 1,
    said: /no database/
  })
  for (const args of [[], ['a', 'b'], ['--help']])
    t.match(await backup({ DATA_DIR: directory }, ...args), { code: 2, said: /usage/ })
  // A page of the middle overwritten: the copy is looked at before it gets its name.
  const broken = join(directory, 'broken')
  mkdirSync(broken)
  const bytes = readFileSync(join(directory, 'switchboard.db'))
  bytes.fill(0xff, 3 * 4096, 5 * 4096)
  writeFileSync(join(broken, 'switchboard.db'), bytes)
  const { code } = await backup({ DATA_DIR: broken }, join(directory, 'x.db'))
  t.equal(code, 1)
  t.notOk(existsSync(join(directory, 'x.db')))
  t.strictSame(
    readdirSync(directory).filter(name => name.includes('partial')),
    []
  )
})
