import { StoreUnavailable, type Unit, type WriteOptions } from './store.ts'

/** Units in one commit at most (docs/reliability.md 7.3): more would let one flush hold the event loop. */
const groupSize = 64
/** Patient ones in one: others have the event loop in between. */
const patientSize = 16
/** One that may waits so long for a commit together with others of its kind. */
const gatherMs = 25
/** Once committed, it waits so long for a sync together with units that are not patient. */
const patienceMs = 10
/** A store that somebody else has locked is tried again so soon, and what has waited for so long is refused. */
const lockedAgainMs = 20
const lockedMostMs = 2000
/** A unit that is not patient is to be expected where there was one within so long; else nothing waits. */
const recentMs = 50

/** A unit of work, and whoever waits for it. */
export interface Job {
  unit: () => Unit<unknown>
  patient: boolean
  /** When it came, by the clock of the group commit. */
  at: number
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
}

export interface GroupCommitParts {
  /**
   * Writes a group, in one transaction where that goes.
   * @returns what tells each of them what came of it, once that is on disk; or that nothing can be written just now
   */
  commit: (group: Job[]) => (() => void)[] | 'locked'
  /** Puts on disk what has been committed until now. */
  sync: (done: (error: Error | null) => void) => void
  /** A sync has failed: nobody knows what is on disk. */
  failed: () => void
  /** A sync has ended well. @returns a promise where nothing may be written before it resolves */
  synced: () => Promise<void> | undefined
  /** Milliseconds, of a clock that is never set back. */
  now?: () => number
}

/** Takes units of work and tells what came of each when it is on disk; one sync does for all that was committed before it. */
export interface GroupCommit {
  write: <T>(unit: () => Unit<T>, how?: WriteOptions) => Promise<T>
  /** Resolves when nothing waits any more. */
  idle: () => Promise<void>
}

export function createGroupCommit(parts: GroupCommitParts): GroupCommit {
  const { commit, sync, failed, synced, now = () => performance.now() } = parts
  const jobs: Job[] = []
  const patient: Job[] = []
  /** What is patient is taken in the next turn of the event loop. */
  let soon = false
  /** Until it runs out, patient units wait for others of their kind. */
  let gathering: NodeJS.Timeout | undefined
  /** With what is to be told when a sync that begins from now on has ended. */
  const committed: { job: Job; tell: () => void }[] = []
  /** A group is being written, or will be at the end of this tick. */
  let busy = false
  /** Nothing may be written. */
  let held = false
  /** Runs while somebody else has the store locked. */
  let locked: NodeJS.Timeout | undefined
  let overdue: NodeJS.Timeout | undefined
  /** The instant of the last group that was not patient. */
  let hastyAt = Number.NEGATIVE_INFINITY
  let idle: (() => void) | undefined

  /** Writes the first of a queue. @returns false where somebody else has the store locked: all that waits is tried again, the oldest are refused */
  const take = (queue: Job[], most: number): boolean => {
    const group = queue.splice(0, most)
    const done = commit(group)
    if (done !== 'locked') {
      for (const [i, tell] of done.entries()) committed.push({ job: group[i]!, tell })
      return true
    }
    queue.unshift(...group)
    const due = now() - lockedMostMs
    for (const each of [jobs, patient])
      while (each[0] && each[0].at <= due)
        each.shift()!.reject(new StoreUnavailable('another process has the database locked'))
    locked = setTimeout(() => {
      locked = undefined
      // First what somebody waits for.
      if (!busy) goOn()
      takePatient()
    }, lockedAgainMs)
    return false
  }
  /**
   * One group at a time: commit, then sync the log beside the event loop, then answer. That is what `synchronous=FULL`
   * does inside COMMIT, where it would stop everything for the length of a disk write; the promise to writers is the
   * same, nothing is acknowledged before it is on disk. What arrives meanwhile is the next group, so a slow disk makes larger ones.
   */
  const flush = (): void => {
    clearTimeout(overdue)
    overdue = undefined
    if (jobs.length > 0 && !locked) {
      hastyAt = now()
      take(jobs, groupSize)
    }
    const group = committed.splice(0)
    if (locked && group.length === 0) {
      busy = false
      return
    }
    sync(error => {
      let moved: Promise<void> | undefined
      if (error) {
        failed()
        // What was committed during the sync may have been part of what it failed to write.
        for (const { job } of [...group, ...committed.splice(0)])
          job.reject(new StoreUnavailable(`the log could not be synced: ${error.message}`))
      } else {
        // Sends go on before what nobody waits for.
        for (const { job, tell } of group) if (!job.patient) tell()
        for (const { job, tell } of group) if (job.patient) tell()
        moved = synced()
      }
      if (!moved) return goOn()
      held = true
      void moved.then(() => {
        held = false
        takePatient()
        goOn()
      })
    })
  }
  /** Whether the sync of somebody who is waited for is to be expected. */
  const inCompany = (): boolean => now() - hastyAt < recentMs
  const goOn = (): void => {
    busy = jobs.length > 0 && !locked
    if (busy) flush()
    else if (committed.length > 0) waitForOthers()
    else if (patient.length === 0 && jobs.length === 0) idle?.()
  }
  /** The sync of the next group does for what is committed; where none is to be expected or comes in time, it has one of its own. */
  const waitForOthers = (): void => {
    const alone = (): void => {
      overdue = undefined
      if (busy) return
      busy = true
      flush()
    }
    if (!inCompany()) alone()
    else overdue ??= setTimeout(alone, patienceMs)
  }
  /** Commits what is patient, also beside a sync, which does not count for it then. */
  const takePatient = (): void => {
    soon = false
    clearTimeout(gathering)
    gathering = undefined
    if (held || locked || patient.length === 0) return
    if (!take(patient, patientSize)) return
    if (patient.length > 0) schedulePatient(false)
    if (!busy) waitForOthers()
  }
  /** @param gathers it may wait for others that come a little later */
  const schedulePatient = (gathers: boolean): void => {
    if (soon) return
    if (gathers) {
      gathering ??= setTimeout(takePatient, gatherMs)
      return
    }
    soon = true
    setImmediate(takePatient)
  }

  return {
    write: <T>(unit: () => Unit<T>, how?: WriteOptions) =>
      new Promise<T>((resolve, reject) => {
        const job: Job = {
          unit,
          patient: how?.patient !== undefined,
          at: now(),
          resolve: resolve as Job['resolve'],
          reject
        }
        if (job.patient) {
          patient.push(job)
          schedulePatient(how?.patient === 'commit' && inCompany() && patient.length < patientSize)
          return
        }
        jobs.push(job)
        if (busy) return
        busy = true
        setImmediate(flush)
      }),
    idle: async () => {
      if (busy || committed.length > 0 || patient.length > 0 || jobs.length > 0)
        await new Promise<void>(resolve => (idle = resolve))
    }
  }
}
