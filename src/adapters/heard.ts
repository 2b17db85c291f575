import type { ErrorCode, ProviderError } from '../../schemas/problem.ts'

// What a provider's webhook tells, in our words (docs/api.md 12, docs/webhooks.md). An adapter's `hear` makes these of a body; what
// becomes of them is inbound's business.

/** Which number or account a webhook body names; a member that is absent was not named. */
export interface Scope {
  /** The provider's id of the sending number. */
  numberId?: string
  /** The provider's id of the account. */
  accountId?: string
  /** The sending number, digits only. */
  phone?: string
}

/** A person as WhatsApp names one: at least one of `phone` and `userId` where the provider named anybody. */
export interface Person {
  /** Digits only; absent for a person who shares no number. */
  phone?: string
  /** The number as WhatsApp knows it, digits only, where that is another than `phone` (52 and 521, 55 with and without the nine). */
  waId?: string
  /** The business-scoped user id, `US.1349…`, or `US.ENT.…` of a parent portfolio. */
  userId?: string
  parentUserId?: string
  /** Without a leading @. */
  username?: string
  name?: string
}

/** Why a message failed after it was accepted: the same words as for a refused send. */
export interface HeardFailure {
  code: ErrorCode
  detail: string
  provider: ProviderError
}

/** What WhatsApp says that a message costs: its words, lower case, never an amount (docs/webhooks.md A10, C8). */
export interface Price {
  category?: string
  type?: string
  model?: string
  billable?: boolean
}

/** A file that came with a message: the provider has it. */
export interface HeardFile {
  /** The provider's media id, or its path: what getMedia takes. */
  reference: string
  /** As stated, without parameters. */
  mimeType?: string
  filename?: string
  caption?: string
  sha256?: string
  /** For how many seconds it can be had, from the message on; absent: no end is known. */
  lifeSeconds?: number
}

/** The content of a message that somebody else than us wrote. */
export interface HeardMessage {
  /** A type of outbound messages, or `reply`, `order`, `system`, `unsupported`, `edit`, `revoke`, `reaction`. */
  type: string
  /**
   * The member under the type's name, as docs/api.md 12 says; `{}` where the provider told nothing of it. Ids of messages in it
   * are the provider's. A file's part has everything but `mediaId`.
   */
  content: unknown
  file?: HeardFile
  /** The provider's id of the message that this one answers. */
  replyTo?: string
  /** The provider's id of the message that an edit, a revocation or a reaction is about. */
  target?: string
  /** The advertisement or post that it came from, in the provider's words. */
  referral?: Record<string, unknown>
  forwarded?: 'once' | 'often'
  /** The product of a catalog that it asks about. */
  product?: { catalogId?: string; productId?: string }
  groupId?: string
  /** Another responder owns the conversation: we only overhear it (docs/webhooks.md C6, C7). */
  standby?: true
}

/** What stands in every one. */
interface Told {
  /**
   * The event's own identity, unique within the channel and mode: whatever has been told under it has had its effect.
   * Variants of one happening share it unless one of them tells more ids than another.
   */
  identity: string
  /**
   * What it is about, where neither an id nor an instant is told: the same again soon is a repeat, unless something else
   * was told of that in between.
   */
  timeless?: string
  /** When it happened, as the provider says, in milliseconds; absent: it does not say, or nothing that can be an instant. */
  at?: number
  scope: Scope
}

/** How far a message of ours got. */
export interface HeardStatus extends Told {
  kind: 'status'
  status: 'sent' | 'delivered' | 'read' | 'played' | 'failed'
  /** Every id that the provider told for the message; all of them name it from now on. */
  ids: string[]
  /** The id that we planted: our message id. It proves that the event is about our send. */
  ours?: string
  /** Only with `failed`. */
  failure?: HeardFailure
  price?: Price
  recipient?: Person
}

/** Somebody wrote to us. */
export interface HeardInbound extends Told {
  kind: 'message'
  ids: string[]
  sender: Person
  message: HeardMessage
}

/**
 * A message went out: ours, an operator's, or a bot's of the provider. One that is known by its ids or by `ours` is ours
 * and was sent; another one is somebody else's, without an operator only once our own sends have had time to learn
 * their ids (docs/webhooks.md A5, D1).
 */
export interface HeardOutgoing extends Told {
  kind: 'outgoing'
  ids: string[]
  ours?: string
  /** Who wrote it; absent: not told. */
  operator?: { name?: string; email?: string }
  /** It may be ours all the same: it waits until our own sends have had time to learn their ids. */
  unsure?: true
  recipient: Person
  message: HeardMessage
}

/** A template's status, quality, category or text changed: a cached definition is stale. */
export interface HeardTemplate extends Told {
  kind: 'template'
  change: 'status' | 'quality' | 'category' | 'components'
  name?: string
  language?: string
  providerTemplateId?: string
  /** In our words where we have one, else the provider's in lower case. */
  value?: string
  before?: string
  /** When it will be so, in milliseconds; absent: it is so. */
  effectiveAt?: number
  reason?: string
}

/** One person is known under another number or id from now on. */
export interface HeardPerson extends Told {
  kind: 'person'
  change: 'number' | 'user_id' | 'identity'
  before: Person
  after: Person
}

/** What somebody wants of us. */
export interface HeardPreference extends Told {
  kind: 'preference'
  person: Person
  category: 'marketing' | 'all'
  value: 'stop' | 'resume'
}

/** A conversation went over to another responder, or came back. */
export interface HeardOwnership extends Told {
  kind: 'ownership'
  person?: Person
  change: string
  /** Whether we may answer now; absent: not told. */
  ours?: boolean
  detail: Record<string, unknown>
}

/** Something about the account or the number: quality, limits, restrictions. */
export interface HeardAccount extends Told {
  kind: 'account'
  /** The provider's word for what happened, lower case. */
  event: string
  detail: Record<string, unknown>
}

/** What has no effect here: known and irrelevant, or not known. It is kept and counted. */
export interface HeardOther extends Told {
  kind: 'other'
  /** The provider's name for it, as far as it could be read. */
  name: string
}

export type Heard =
  | HeardStatus
  | HeardInbound
  | HeardOutgoing
  | HeardTemplate
  | HeardPerson
  | HeardPreference
  | HeardOwnership
  | HeardAccount
  | HeardOther

/** The third table of an adapter: how a provider's webhooks are read. */
export interface Hearing<S = unknown> {
  /**
   * Everything that one body tells, in its order. Pure and total: it never throws, whatever the body is, and what it does
   * not know is `other`. One unreadable part hides no other part.
   * @param body the parsed JSON of one webhook
   */
  read: (body: unknown) => Heard[]
  /**
   * Whether what names this scope is about a channel with these settings. True where the scope names nothing that could
   * contradict.
   */
  concerns: (settings: S, scope: Scope) => boolean
  /**
   * Whether these settings name what this scope names. Absent: `concerns` says so. Such a channel goes before one whose
   * settings merely do not contradict.
   */
  names?: (settings: S, scope: Scope) => boolean
  /** What of these settings says whose events they are. Two channels of one connection that say the same hear the same. */
  numberOf?: (settings: S) => string | undefined
  /** A sentence on how somebody registers an address by hand, where the provider's API refuses to. */
  byHand?: string
  /** A sentence on what a registered address is never told. */
  notCovered?: string
  /** Whether the raw bytes carry a signature that a channel's `appSecret` can verify: the header's name and its form. */
  signature?: { header: string; prefix: string }
}
