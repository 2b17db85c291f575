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

/** What stands for a call in the log of the account's slots. */
export interface Slot {
  key: string
  /** The latest instant at which the call can reach the account. */
  entry: number
  /** Milliseconds of that for the way. */
  wayMs: number
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
  /** An answer to the call of a permit has come: it had reached the account by now. */
  arrived: (permit: Permit) => void
  /** The provider asked to wait, or shows that too much was sent. */
  throttle: (channel: AdmissionChannel, throttle: Throttle, to?: string, attempt?: number) => void
  /** Whether a call was answered by anybody who knows the provider. */
  note: (channel: AdmissionChannel, answered: boolean) => void
}
