import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { type Checkpoints, createCheckpoints } from '../../src/store/checkpoints.ts'

const bounds = { enough: 20, tooLong: 100, every: 2 }

async function database(t: Test) {
  const directory = await mkdtemp(join(tmpdir(), 'switchboard-checkpoints-'))
  const file = join(directory, 'a.db')
  const db = new DatabaseSync(file)
  db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; create table a (b blob) strict')
  t.teardown(async () => {
    db.close()
    await rm(directory, { recursive: true })
  })
  const frames = (): { log: number; checkpointed: number } => db.prepare('PRAGMA wal_checkpoint(NOOP)').get() as never
  const insert = db.prepare('insert into a values (randomblob(9000))')
  return { db, file, frames, write: () => insert.run() }
}

/** Writes without a pause, as a server under load does. Answers how long the log became. */
async function load(
  { frames, write }: Pick<Awaited<ReturnType<typeof database>>, 'frames' | 'write'>,
  look: Checkpoints['look']
): Promise<number> {
  let longest = 0
  for (let i = 0; i < 400; i++) {
    write()
    longest = Math.max(longest, frames().log)
    await look()
    // The thread has its turn.
    await new Promise(resolve => setImmediate(resolve))
  }
  return longest
}

t.test('the log is moved beside the writes, and begins anew before it is too long', async t => {
  const place = await database(t)
  const checkpoints = createCheckpoints(place.db, place.file, bounds)
  const longest = await load(place, checkpoints.look)
  t.ok(longest < bounds.tooLong + 20, `${longest} frames at most`)
  await checkpoints.close()
  t.equal(place.db.prepare('select count(*) as rows from a').get()!.rows, 400)
  t.equal(place.db.prepare('PRAGMA integrity_check').get()!.integrity_check, 'ok')
})

t.test('CONTROL: a log that nobody moves grows', async t => {
  const place = await database(t)
  place.db.exec('PRAGMA wal_autocheckpoint=0')
  t.ok((await load(place, () => undefined)) > 4 * bounds.tooLong)
})

t.test('where the thread fails, SQLite moves the log by itself', async t => {
  const place = await database(t)
  // No file of this name can be opened.
  const checkpoints = createCheckpoints(place.db, join(place.file, 'nothing'), bounds)
  const longest = await load(place, checkpoints.look)
  t.ok(longest < bounds.tooLong + 20, `${longest} frames at most`)
  await checkpoints.close()
})
