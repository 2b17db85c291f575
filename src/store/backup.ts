import { statSync } from 'node:fs'
import { join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { type Stamp, writeWhole } from './whole-file.ts'

/** Writes the stamp, makes one file of it and looks whether it is whole. */
function finish(partial: string, { key, detail }: Stamp): void {
  const copy = new DatabaseSync(partial, { defensive: true })
  try {
    copy.exec('PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL')
    copy
      .prepare(
        'insert into blocks (key, until, detail, at) values (?, null, ?, ?) on conflict do update set detail = ?2'
      )
      .run(key, detail, Date.now())
    const [verdict] = copy.prepare('PRAGMA integrity_check').all() as { integrity_check: string }[]
    if (verdict?.integrity_check !== 'ok') throw new Error(`the copy is damaged: ${verdict?.integrity_check}`)
  } finally {
    copy.close()
  }
}

/**
 * Copies the embedded store while a server runs on it: everything that was committed before it began, in one file that
 * only its owner can read. In one step, because SQLite begins a copy anew whenever another process writes between two:
 * it would never end under load. Writers are not kept waiting; only the log cannot be emptied meanwhile.
 * @param directory DATA_DIR of the server
 * @param file where the copy goes; it must not exist, and does not before the copy is whole
 */
export async function backupSqlite(directory: string, file: string, stamp: Stamp): Promise<{ bytes: number }> {
  const source = join(directory, 'switchboard.db')
  if (!statSync(source, { throwIfNoEntry: false })) throw new Error(`there is no database in ${directory}`)
  return writeWhole(file, ['-journal', '-wal', '-shm'], async partial => {
    const reader = new DatabaseSync(source, { readOnly: true, timeout: 5000, defensive: true })
    try {
      await backup(reader, partial, { rate: 2 ** 31 - 1 })
    } finally {
      reader.close()
    }
    finish(partial, stamp)
  })
}
