import type { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'

/** Moves SQLite's log into the database beside the event loop. */
export interface Checkpoints {
  /**
   * Begins when there is enough to move; to be called after every sync.
   * @returns a promise where the next commit has to wait for it
   */
  look: () => Promise<void> | undefined
  /** Resolves when nothing moves any more. */
  close: () => Promise<void>
}

export interface CheckpointBounds {
  /** So many frames of the log, a page of 4 KB each, are moved together. */
  enough: number
  /** A log of so many frames is brought to its end: it begins anew once all of it has been moved. */
  tooLong: number
  /** SQLite is asked for the length of its log at one of so many syncs: that is 10 to 30 µs, and a sync has a few hundred frames at most. */
  every: number
}
const usual: CheckpointBounds = { enough: 2000, tooLong: 16_000, every: 8 }

/**
 * SQLite moves its log inside a commit when nobody else does, and holds everything up for as long: tens of milliseconds in
 * a second of load. So a thread with a connection of its own moves it. What is written meanwhile is left over, and the log
 * grows, until a pause between two commits; where none comes in time, commits wait once, and the event loop never does.
 * Where the thread fails, SQLite moves the log by itself again.
 */
export function createCheckpoints(
  writer: DatabaseSync,
  file: string,
  { enough, tooLong, every }: CheckpointBounds = usual
): Checkpoints {
  const state = writer.prepare('PRAGMA wal_checkpoint(NOOP)')
  const bySqlite = (frames: number): void => writer.exec(`PRAGMA wal_autocheckpoint=${frames}`)
  // A bound for a thread that cannot keep up.
  bySqlite(4 * tooLong)
  let worker: Worker | undefined
  let ended: Promise<void> | undefined
  let failed = false
  let closing = false
  let moving: Promise<void> | undefined
  let moved = (): void => undefined
  let looks = 0

  const start = (): Worker => {
    const resourceLimits = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 }
    const made = new Worker(new URL('./checkpoint-worker.js', import.meta.url), {
      workerData: { file },
      resourceLimits
    })
    ended = new Promise(resolve => made.once('exit', () => resolve()))
    made.on('message', () => moved())
    made.on('error', () => {
      failed = true
      if (writer.isOpen) bySqlite(enough)
      moved()
    })
    return made
  }
  const move = (): Promise<void> => {
    const mover = (worker ??= start())
    // A commit may wait for it: the process must not end before.
    mover.ref()
    mover.postMessage('move')
    moving = new Promise(resolve => {
      moved = () => {
        if (!closing) mover.unref()
        moving = undefined
        resolve()
      }
    })
    return moving
  }

  return {
    look: () => {
      if (failed || closing) return undefined
      // Where it moves already, each commit may be the one that has to wait.
      if (!moving && ++looks % every !== 0) return undefined
      const { log, checkpointed } = state.get() as { log: number; checkpointed: number }
      if (moving) return log < tooLong ? undefined : moving
      if (log >= tooLong && log > checkpointed) return move()
      if (log - checkpointed >= enough) void move()
      return undefined
    },
    close: async () => {
      closing = true
      worker?.ref()
      worker?.postMessage('close')
      await ended
    }
  }
}
