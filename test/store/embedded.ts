import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CompiledQuery } from 'kysely'
import pino from 'pino'
import type { Test } from 'tap'
import { openStore } from '../../src/store/index.ts'
import type { Store } from '../../src/store/store.ts'
import '../patience.ts'

export const log = pino({ level: 'silent' })
export const asRoot = process.getuid?.() === 0
const childFile = new URL('child.ts', import.meta.url).pathname

/** An empty DATA_DIR for one test. */
export async function folder(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'switchboard-sqlite-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}
export async function open(t: Test, directory: string): Promise<Store> {
  const store = await openStore({ directory }, log)
  t.teardown(() => store.close().catch(() => {}))
  return store
}

/** child.ts, running. */
export interface Child {
  lines: string[]
  /** Resolves with the exit code, null after a signal. */
  ended: Promise<number | null>
  kill: () => Promise<unknown>
}
export function start(t: Test, act: string, directory: string, uid?: number): Child {
  const child: ChildProcess = spawn(process.execPath, [childFile, act, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(uid !== undefined && { uid, gid: uid })
  })
  let text = ''
  const lines: string[] = []
  child.stdout!.on('data', part => {
    const parts = `${text}${part}`.split('\n')
    text = parts.pop()!
    lines.push(...parts)
  })
  const ended = new Promise<number | null>(resolve => child.once('close', code => resolve(code)))
  const kill = () => {
    child.kill('SIGKILL')
    return ended
  }
  t.teardown(kill)
  return { lines, ended, kill }
}

/** Commits in the log: its frames that say how large the database is after them (sqlite.org/fileformat2.html, 4.1). */
export function commits(directory: string): number {
  const wal = readFileSync(join(directory, 'switchboard.db-wal'))
  const frame = 24 + wal.readUInt32BE(8)
  let count = 0
  for (let at = 32; at + frame <= wal.length; at += frame) if (wal.readUInt32BE(at + 4) > 0) count++
  return count
}
export const count = async (store: Store, table = 'messages'): Promise<number> =>
  ((await store.read(CompiledQuery.raw(`select count(*) as n from ${table}`))) as { n: number }[])[0]!.n
