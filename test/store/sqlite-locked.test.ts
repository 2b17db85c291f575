import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { StoreUnavailable } from '../../src/store/store.ts'
import { failure, message, put } from '../conformance/store-rows.ts'
import { count, folder, open } from './embedded.ts'

t.test(
  'somebody who locks the file gets no more of the event loop than a moment, whatever comes meanwhile',
  async t => {
    const directory = await folder(t)
    const store = await open(t, directory)
    const beside = new DatabaseSync(join(directory, 'switchboard.db'))
    t.teardown(() => beside.close())
    beside.exec('BEGIN IMMEDIATE')
    const began = performance.now()
    for (let i = 0; i < 10; i++) {
      const many = await Promise.all(Array.from({ length: 10 }, () => failure(put(store, message()))))
      t.ok(many.every(error => error instanceof StoreUnavailable))
    }
    // Five seconds for each of them had been 500.
    t.ok(performance.now() - began < 10_000)
    beside.exec('ROLLBACK')
    await put(store, message())
    t.equal(await count(store), 1, 'and what was refused is not there')
  }
)
