import { rm } from 'node:fs/promises'
import pino from 'pino'
import { openStore } from '../../src/store/index.ts'
import { storeConformance } from '../conformance/store.ts'
import { newDirectory } from './blank.ts'

storeConformance('SQLite', async t => {
  const directory = await newDirectory()
  const store = await openStore({ directory }, pino({ level: 'silent' }))
  t.teardown(async () => {
    await store.close()
    await rm(directory, { recursive: true })
  })
  return { store }
})
