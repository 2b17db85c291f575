import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { openStore } from '../../src/store/index.ts'
import { storeConformance } from '../conformance/store.ts'

storeConformance('SQLite', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'switchboard-sqlite-'))
  const store = await openStore({ directory }, pino({ level: 'silent' }))
  t.teardown(async () => {
    await store.close()
    await rm(directory, { recursive: true })
  })
  return { store }
})
