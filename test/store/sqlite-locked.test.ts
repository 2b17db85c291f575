import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { StoreUnavailable } from '../../src/store/store.ts'
import { failure, message, put } from '../conformance/store-rows.ts'
import { count, folder, open } from './embedded.ts'

t.test('somebody who has the file locked holds up nothing but writes, and those for two seconds', async t => {
  const directory = await folder(t)
  const store = await open(t, directory)
  const beside = new DatabaseSync(join(directory, 'switchboard.db'))
  t.teardown(() => beside.close())
  beside.exec('BEGIN IMMEDIATE')
  let turns = 0
  const ticking = setInterval(() => turns++, 10)
  t.teardown(() => clearInterval(ticking))
  const many = await Promise.all(Array.from({ length: 100 }, () => failure(put(store, message()))))
  t.ok(many.every(error => error instanceof StoreUnavailable))
  // About two hundred; it had been none, for five seconds and five more for each of them.
  t.ok(turns > 20, `${turns} turns of the event loop`)

  const waits = put(store, message())
  await new Promise(resolve => setTimeout(resolve, 50))
  beside.exec('ROLLBACK')
  await waits
  t.equal(await count(store), 1, 'what did not have to wait for longer is there, and nothing of what was refused')
})
