import type { Rows } from './rows.ts'
import type { Posted } from './subscriber.ts'
import type { Told } from './told.ts'

// What is known of a run: what the clients saw, what the journal says at the end, and what the provider really did.

/** One request of a client, and what it was told; `error` instead of an answer: it may or may not have been taken. */
export interface Attempt {
  /** Milliseconds since the run began: when it was asked, and when the answer was complete. */
  from: number
  until: number
  status?: number
  /** The message that the answer is about; of a broadcast's, the broadcast. */
  id?: string
  /** Of a 2xx: the message's status. Of a problem with a messageId: `over`, which is failed, expired or canceled. */
  told?: string
  final?: boolean
  /** Of a problem. */
  outcome?: string
  replayed?: boolean
  /** A digest of the answer's bytes. */
  text?: string
  error?: string
}

/** One message that a client wants sent, once. Most have a recipient of their own, some follow others to theirs. */
export interface Act {
  to: string
  /** With a key the client asks again until it is told something definite. */
  key?: string
  /** `onUnknown: resend_once`: a second send is allowed where nobody knows of the first. */
  twice?: boolean
  /** A template is sent instead where the window turns out closed: that is a second send too. */
  fallback?: boolean
  body?: unknown
  attempts: Attempt[]
}

/** One broadcast that a client wants made, once. */
export interface BroadcastAct {
  key: string
  /** Each of them once, however often the body names it. */
  recipients: string[]
  body?: unknown
  attempts: Attempt[]
}

/** A status that a client was shown outside of a POST: by reading or by canceling. */
export interface Sight {
  id: string
  status: string
  final: boolean
  from: number
  until: number
}

/** A message as the API shows it when everything is over. */
export interface Row {
  id: string
  to: string
  status: string
  /** The broadcast that it is a part of. */
  broadcast?: string
}

/** One message of a request that reached the provider. */
export interface Arrival {
  to: string
  processed: boolean
  /** The request held others as well. */
  together?: boolean
}

export interface Heard {
  /** What the providers told, as far as it was acknowledged. */
  told: Told[]
  /** What stands in the database. */
  rows: Rows
  /** What a subscriber to the events of messages got. */
  posted: Posted[]
}

export interface History {
  acts: Act[]
  broadcasts?: BroadcastAct[]
  sights: Sight[]
  journal: Row[]
  arrivals: Arrival[]
  /** Of a run in which the providers tell what becomes of messages. */
  heard?: Heard
  /** Entries that the provider's record had no room for: then it proves nothing. */
  dropped: number
  /** The database was made to fail too: then an answer may have been given that could not be kept for its key. */
  storeFaults?: boolean
}
