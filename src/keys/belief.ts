/** Something that was looked up, and for whom. */
export interface Known {
  caller: { keyId: string }
}

/** What was looked up lately, under digests, so that no secret stays in memory. */
export interface Belief<T extends Known> {
  find: (digest: string) => T | undefined
  /**
   * Looks it up, once for all who ask at a time, and believes the answer for a while. An answer that was read before a change
   * of its key is thrown away and looked up again, so no caller is told of a key as it was before a change that has ended.
   */
  look: (digest: string, load: () => Promise<T | undefined>) => Promise<T | undefined>
  /** A key has changed. */
  forget: (keyId: string) => void
}

export interface BeliefOptions {
  /** How long an answer may be believed, in milliseconds from when its question was asked. */
  believeMs: number
  /** Answers that are kept at most, so that nobody can grow them. */
  most?: number
  /** A clock that nobody sets: an answer must not outlive its time because the machine's was set back. */
  now?: () => number
}

/** Remembers look-ups for a while, and never beyond a change. */
export function createBelief<T extends Known>(options: BeliefOptions): Belief<T> {
  const { believeMs, most = 10_000, now = () => performance.now() } = options
  const answers = new Map<string, { known: T; until: number }>()
  const looking = new Map<string, Promise<T | undefined>>()
  /** Counts changes; of each key its last, and for those that are not listed any more, `floor`. */
  let count = 0
  let floor = 0
  const changes = new Map<string, number>()
  const changedSince = (keyId: string, when: number): boolean => (changes.get(keyId) ?? floor) > when

  const lookUp = async (digest: string, load: () => Promise<T | undefined>): Promise<T | undefined> => {
    for (;;) {
      const when = count
      const until = now() + believeMs
      const known = await load()
      if (known && changedSince(known.caller.keyId, when)) continue
      // In one go with what follows: nobody may join an answer that a later change does not reach.
      looking.delete(digest)
      if (!known) return undefined
      if (answers.size >= most) answers.clear()
      answers.set(digest, { known, until })
      return known
    }
  }
  return {
    find: digest => {
      const answer = answers.get(digest)
      if (!answer) return undefined
      if (answer.until > now()) return answer.known
      answers.delete(digest)
      return undefined
    },
    look: (digest, load) => {
      let look = looking.get(digest)
      if (!look) {
        look = lookUp(digest, load).catch(error => {
          looking.delete(digest)
          throw error
        })
        looking.set(digest, look)
      }
      return look
    },
    forget: keyId => {
      count++
      if (changes.size >= most) {
        changes.clear()
        floor = count
      }
      changes.set(keyId, count)
      for (const [digest, { known }] of answers) if (known.caller.keyId === keyId) answers.delete(digest)
    }
  }
}
