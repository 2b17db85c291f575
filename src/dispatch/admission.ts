import type { CallFacts } from '../adapters/adapter.ts'

/** The right to make one call. */
export interface Permit {
  /** performance.now() from which on it may go. */
  at: number
  /** After this it is too late: the slot has gone by, and another has to be had. */
  until: number
  slot?: Slot
}

/** The permit where nothing is paced. */
export const free: Permit = { at: 0, until: Number.POSITIVE_INFINITY }

/** What stands for a call in the log of a limit; instants are the store's. */
export interface Slot {
  key: string
  /** What was booked: the latest instant at which the call can reach the account. */
  readonly entry: number
  /** From when on it may leave, or when it has left. */
  at: number
  /** Milliseconds by which it may leave later than that. */
  lateMs: number
  /** Milliseconds for which it may be longer on its way than the quickest. */
  wayMs: number
  /** Until when it may be used. */
  readonly until: number
  /** performance.now() when it was booked, when it left, and whether its answer has come. */
  readonly bookedAt: number
  leftAt?: number
  answered?: true
}

/** An answer, by the kind of its call: those of one kind usually take as long. */
export interface Answer {
  kind: string
  /** It did what was asked; a refusal may come from whoever stands nearer. */
  ok: boolean
}

/** What of a channel a call's turn depends on. Without a channel: a call to Maton itself. */
export interface AdmissionChannel {
  id: string
  mode: 'live' | 'test'
  /** Whose call it is. */
  service?: string
}

/** Whose limit an answer was about, and how long it holds. */
export interface Throttle {
  scope: 'account' | 'channel' | 'recipient'
  /** Seconds; undefined: nobody said. */
  seconds?: number
  /** It stood in the answer, and is no guess of ours. */
  asked: boolean
  /** The answer was that there were too many calls (429), and not that somebody is busy. */
  tooMany?: true
}

/** What every provider call passes ahead of its request, and is told of after. */
export interface Admission {
  /**
   * Resolves at the moment when a call may go out.
   * @param permit one that was had before; without it a turn is waited for
   * @returns the permit that it goes out with; undefined: the one that was had before came too late, and must not be used
   * @throws ServiceError when it may not go: the channel does not answer, or has to wait longer than a call may
   */
  admit: (
    channel: AdmissionChannel,
    call: Partial<CallFacts>,
    options?: { permit?: Permit; lane?: 0 | 1; probe?: boolean }
  ) => Promise<Permit | undefined>
  /** The call of a permit leaves only now, as its connection had to be made. */
  left: (permit: Permit) => void
  /** The call of a permit was answered: it had reached the account by now. */
  answered: (permit: Permit, answer: Answer) => void
  /** The provider asked to wait, or shows that too much was sent. */
  throttle: (channel: AdmissionChannel, throttle: Throttle, to?: string, attempt?: number) => void
  /** Whether a call was answered by anybody who knows the provider. */
  note: (channel: AdmissionChannel, answered: boolean) => void
}
