import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { openStore } from '../../src/store/index.ts'

let blank: Promise<Buffer> | undefined

/** The database of a store that has just been opened, made once in a process: its migrations are most of what that takes. */
async function makeBlank(): Promise<Buffer> {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-blank-'))
  try {
    const store = await openStore({ directory }, pino({ level: 'silent' }))
    await store.close()
    return readFileSync(join(directory, 'switchboard.db'))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Makes a directory of data as a start leaves it, with the tables and nothing in them; whoever asks for it takes it away. */
export async function newDirectory(): Promise<string> {
  blank ??= makeBlank()
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-test-'))
  writeFileSync(join(directory, 'switchboard.db'), await blank, { mode: 0o600 })
  return directory
}
