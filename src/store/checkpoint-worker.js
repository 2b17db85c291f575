import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'

// The thread that moves SQLite's log into the database; checkpoints.ts starts it and tells it when. In JavaScript, because the
// compile cache is not a thread's: for a TypeScript file each would load the stripper, 18 MB that stay.

/** Each round has only what was written during the one before. */
const mostRounds = 4

const port = parentPort
const db = new DatabaseSync(workerData.file, { defensive: true })
if (process.platform === 'darwin') db.exec('PRAGMA fullfsync=1; PRAGMA checkpoint_fullfsync=1')
const move = db.prepare('PRAGMA wal_checkpoint(PASSIVE)')

port.on('message', (/** @type {'move' | 'close'} */ word) => {
  if (word === 'close') {
    db.close()
    port.close()
    return
  }
  for (let round = 0; round < mostRounds; round++) {
    const { log, checkpointed } = move.get()
    if (log === checkpointed) break
  }
  port.postMessage('moved')
})
