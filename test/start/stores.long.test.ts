import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { live, lived, pepper, place, refused, taken } from './starts.ts'

// What does not fit is refused, and by the name of the setting that does not (docs/reliability.md P50).

t.test('sandbox mode on a store that holds anything live', async t => {
  await refused(t, { DATA_DIR: await lived(t) }, /no MATON_API_KEY, and the store was written to by a live start/)

  const fresh = place(t)
  const said = await taken(t, { DATA_DIR: fresh }, 'an empty folder')
  t.match(said, /ADMIN=sk_live_/)
  t.match(said, /SANDBOX MODE/)
  await taken(t, { DATA_DIR: fresh }, 'what sandbox mode itself made, its admin key and demo channels')
  const things: Record<string, string> = {
    'live messages': `insert into messages (id, service, key_id, mode, channel_id, provider, direction, type, state, final,
      attempts, run_at, timeline, created_at) values ('msg_1', 's', 'k', 'live', 'c', 'wati', 'outbound', 'text', 'queued', 0, 0, 1, '', 1)`,
    'the channel shop': `insert into channels (id, provider, connection_id, settings, is_default, paused, managed_by, created_at,
      updated_at) values ('shop', 'wati', 'x', '{}', 0, 0, 'api', 1, 1)`,
    'the channel demo-wati': `update channels set connection_id = 'mine' where id = 'demo-wati'`,
    'live keys beside the first': `insert into keys (id, hash, pepper_version, prefix, last_four, service, mode, scopes,
      created_at, created_by) values ('key_1', 'h', 1, '', '', 's', 'live', '[]', 1, 'key_admin')`
  }
  for (const [thing, statement] of Object.entries(things)) {
    const copy = place(t)
    cpSync(fresh, copy, { recursive: true })
    const db = new DatabaseSync(join(copy, 'switchboard.db'))
    db.exec(statement)
    db.close()
    await refused(t, { DATA_DIR: copy }, new RegExp(`no MATON_API_KEY, and the store holds ${thing}.*SANDBOX=1`))
    if (thing === 'live messages') await taken(t, { DATA_DIR: copy, SANDBOX: '1' }, `${thing}, and it is meant`)
  }
})

t.test('another pepper than the store was made with', async t => {
  const directory = await lived(t)
  const file = join(directory, 'key-pepper')
  const right = readFileSync(file, 'utf8')
  const start = { ...live, DATA_DIR: directory }
  rmSync(file)
  await refused(t, start, /DATA_DIR holds a store but no key-pepper/)
  writeFileSync(file, '\n')
  await refused(t, start, /DATA_DIR\/key-pepper is empty/)
  writeFileSync(file, right.slice(0, 20))
  await refused(t, start, /DATA_DIR\/key-pepper is damaged/)
  writeFileSync(file, 'a'.repeat(64))
  await refused(t, start, /the store was made with another pepper.*KEY_PEPPER, or DATA_DIR\/key-pepper/)
  await refused(t, { ...start, KEY_PEPPER: pepper }, /the store was made with another pepper/)
  rmSync(file)
  await taken(t, { ...start, KEY_PEPPER: right.trim() }, 'the right one by the settings')
  writeFileSync(file, right)
  await taken(t, start, 'the right one again')
})

t.test('a store that is not ours to use is left as it was', async t => {
  const directory = await lived(t)
  const path = join(directory, 'switchboard.db')
  const db = new DatabaseSync(path)
  db.exec(`insert into migrations (name) values ('999_of_tomorrow')`)
  db.close()
  await refused(
    t,
    { ...live, DATA_DIR: directory },
    /DATA_DIR: the store has tables of a newer release \(999_of_tomorrow\)/
  )

  const wide = place(t)
  const utf16 = new DatabaseSync(join(wide, 'switchboard.db'))
  utf16.exec(`pragma encoding = 'UTF-16'; create table t (a)`)
  utf16.close()
  writeFileSync(join(wide, 'key-pepper'), pepper)
  await refused(t, { ...live, DATA_DIR: wide }, /DATA_DIR: the database holds text as UTF-16/)

  const broken = await lived(t)
  truncateSync(join(broken, 'switchboard.db'), 0)
  writeFileSync(join(broken, 'switchboard.db'), 'not a database at all, but long enough to be read as one'.repeat(100))
  await refused(t, { ...live, DATA_DIR: broken }, /DATA_DIR: switchboard.db cannot be opened/)
})

t.test('what is kept is for the eyes of its user alone, whoever made the folder', async t => {
  const directory = place(t)
  chmodSync(directory, 0o777)
  const before = join(directory, 'data')
  mkdirSync(before, { mode: 0o777 })
  chmodSync(before, 0o777)
  const old = process.umask(0)
  t.teardown(() => process.umask(old))
  await taken(t, { ...live, DATA_DIR: before }, 'with the umask 0')
  for (const name of ['switchboard.db', 'switchboard.lock', 'key-pepper'])
    t.equal(statSync(join(before, name)).mode & 0o777, 0o600, name)
  chmodSync(join(before, 'switchboard.db'), 0o666)
  await taken(t, { ...live, DATA_DIR: before }, 'with a file that is open to all')
  t.equal(statSync(join(before, 'switchboard.db')).mode & 0o777, 0o600)
})
