import type { Static, TSchema } from '@sinclair/typebox'
import type { Mode } from '../../schemas/common.ts'
import type { ContentByType, MediaType, MessageType } from '../../schemas/content.ts'
import type { Message } from '../../schemas/messages.ts'
import type { ErrorCode, Outcome, ProviderError } from '../../schemas/problem.ts'
import type { Template, TemplateVariable } from '../../schemas/templates.ts'
import type { Identity } from '../phone.ts'
import type { NativeAnswer, NativeRequest, NativeStream, OutboundFile, UpstreamFailure } from '../upstream/wire.ts'
import type { Hearing } from './heard.ts'
import type { Operation, Operations } from './operations.ts'

// The adapters' door. An adapter imports this file, `schemas/` and its own folder, and nothing else.

export type {
  FailureFacts,
  MultipartPart,
  NativeAnswer,
  NativeRequest,
  NativeStream,
  OutboundFile
} from '../upstream/wire.ts'
export { UpstreamFailure } from '../upstream/wire.ts'
export type * from './heard.ts'
export {
  type BatchOutcome,
  effects,
  type Operation,
  type Operations,
  type RegisteredWebhook
} from './operations.ts'

/** A channel as an adapter sees it: no key, no host, no other channel. */
export interface BoundChannel<S = unknown> {
  id: string
  provider: string
  mode: Mode
  settings: S
}

/** How a file reaches the provider: by a public link, by the provider's own media id, or as bytes from local disk. */
export type MediaSource = { link: string } | { providerMediaId: string } | { file: OutboundFile }

export interface ResolvedMedia {
  source: MediaSource
  caption?: string
  /** What a document is to be called: the caller's word, or the file's. */
  filename?: string
  /** What its link is called, for a provider that shows a document without a name as "Untitled". */
  linkName?: string
}

/** A template send after it has been checked against the template's definition: complete, and in its order. */
export interface ResolvedTemplate {
  name: string
  language: string
  parameterFormat: 'named' | 'positional'
  category?: string
  /** Other languages of the name that could be sent as well: a provider that takes no language may mean one of them. */
  otherLanguages?: string[]
  /** The media variable's own name, where the provider has one, and how many of `flat` stand before it. */
  mediaVariable?: string
  mediaPosition?: number
  header?:
    | { values: { name: string; value: string }[] }
    | { kind: 'image' | 'video' | 'document'; media: ResolvedMedia }
    | { location: ContentByType['location'] }
  body: { name: string; value: string }[]
  buttons: { index: number; type: 'url' | 'quick_reply' | 'copy_code'; name?: string; value: string }[]
  /** Text values of header, body and buttons in the definition's order, for a provider that takes one flat list. */
  flat: { name: string; value: string }[]
}

export type InteractiveMediaHeader = { text: string } | { kind: 'image' | 'video' | 'document'; media: ResolvedMedia }

/** What an encoder gets: the caller's content with every reference of ours resolved into the provider's. */
export interface SendableContent extends Omit<ContentByType, MediaType | 'buttons' | 'template'> {
  image: ResolvedMedia
  video: ResolvedMedia
  document: ResolvedMedia
  audio: ResolvedMedia
  sticker: ResolvedMedia
  buttons: Omit<ContentByType['buttons'], 'header'> & { header?: InteractiveMediaHeader }
  /** `messageId` is the provider's own id. */
  reaction: ContentByType['reaction']
  template: ResolvedTemplate
}

export interface Sendable<T extends MessageType = MessageType> {
  /** Our message id: planted upstream wherever the provider lets us, so that a lost answer can be matched later. */
  id: string
  /** The digits of a telephone number, or a business-scoped user id (`isUserId` tells which). */
  to: string
  type: T
  content: SendableContent[T]
  /** The provider's own id of the message that this one answers. */
  replyTo?: string
  /** Only this provider's part of providerOptions. */
  options?: Record<string, unknown>
}

export interface Encoded {
  request: NativeRequest
  /** One sentence for each hint that this provider cannot carry. What would change the message is refused instead. */
  warnings: string[]
}

/**
 * What the provider cannot say. Thrown by encoders and by handlers ahead of their request, so before any upstream byte;
 * the message says what can be done instead.
 */
export class Unsupported extends Error {
  override readonly name = 'Unsupported'
}

export interface Encoder<T extends MessageType, S> {
  /** Pure: no clock, no randomness, no I/O. Throws Unsupported. */
  encode: (message: Sendable<T>, channel: BoundChannel<S>) => Encoded
  /** How this type's own media must come; `reference` is a link or the provider's media id. Default: reference. */
  media?: 'reference' | 'file'
}
export type EncoderTable<S> = { readonly [T in MessageType]?: Encoder<T, S> }

/** The provider took the message. */
export interface Receipt {
  /** Null where an explicit success came without any id. */
  providerMessageId: string | null
  /** Every other id that the provider told for it: its webhooks may name it by any. */
  aliases?: string[]
  /** The person as the provider knows it, where it says so: the number may be another than the one that was written to. */
  recipient?: Identity
  warnings: string[]
}

/** A template with what only sending needs. */
export interface TemplateDefinition extends Omit<Template, 'syncedAt'> {
  mediaVariable?: string
  /** How many variables stand before it. */
  mediaPosition?: number
  otherLanguages?: string[]
}

/** One item of a conversation, in our words. */
export interface ConversationItem {
  /** Complete, but for its media object where there is a `file`, and `error` where there is a `failure`. */
  message: Message
  /** What the provider says of why it failed. */
  failure?: string
  /** A file that the provider keeps; `path` is what getMedia takes. */
  file?: { path: string; caption?: string; filename?: string }
  /** It is no message but something that happened: an assignment, a closing. */
  event?: true
}

/** A new template, checked: every variable of its texts is here, in their order, with an example. */
export interface TemplateDraft extends Pick<Template, 'name' | 'language' | 'footer' | 'parameterFormat'> {
  category: 'marketing' | 'utility' | 'authentication'
  /** `handle` names a file of the provider's upload for templates, where `format` is a kind of file. */
  header?: { format: 'text' | 'image' | 'video' | 'document' | 'location'; text?: string; handle?: string }
  body: { text: string }
  buttons: { type: 'quick_reply' | 'url' | 'phone_number' | 'copy_code'; text?: string; url?: string; phone?: string }[]
  variables: (TemplateVariable & { example: string })[]
}

/** One call in progress. `request` goes out at most once per handler run; it throws UpstreamFailure unless the answer is a 2xx with JSON. */
export interface Call {
  request: (request: NativeRequest) => Promise<NativeAnswer>
  /** Makes a call whose answer is no JSON: resolves with a 2xx of any type, whose bytes have yet to come. */
  stream: (request: NativeRequest) => Promise<NativeStream>
}

export type Handler<K extends Operation, S> = (
  channel: BoundChannel<S>,
  input: Operations[K]['input'],
  call: Call
) => Promise<Operations[K]['output']>

/** What every provider must have. All others may be absent: presence is capability. */
type Required = 'sendMessage'
export type OperationTable<S> = { readonly [K in Required]: Handler<K, S> } & {
  readonly [K in Exclude<Operation, Required>]?: Handler<K, S>
}

/** What a failure means, in our words. */
export interface Verdict {
  code: ErrorCode
  outcome: Outcome
  /** True only if the provider certainly did not take it and the same request may be taken later. */
  later: boolean
  /** Whose limit was hit, so that nothing else runs into it meanwhile. */
  throttles?: 'account' | 'channel' | 'recipient'
  retryAfterSeconds?: number
  /** The provider refused because of the template: what is remembered of its definition may be out of date. */
  aboutTemplate?: true
  detail: string
  provider: ProviderError
}

/** One of a provider's own limits: so many calls in any window of this length. */
export interface Limit {
  /** Unique among the limits of one connection. */
  key: string
  calls: number
  windowMs: number
  /** It holds for one recipient: others are not held up by it. */
  recipient?: true
  /** The window is so short that it matters how exactly calls arrive: they are spread when half of it is used. */
  spread?: true
}

/** What a limit may depend on, of a call that is going to be made. */
export interface CallFacts {
  operation: Operation
  /** Of a send: the message type and the recipient, as in Sendable. */
  type?: string
  to?: string
}

/** A cheap read of one operation. */
export type Probe = { [K in Operation]: { operation: K; input: Operations[K]['input'] } }[Operation]

export interface Adapter<S extends TSchema = TSchema> {
  readonly provider: string
  /** Maton's word for the provider: the first path segment. */
  readonly app: string
  /** Strict schema of a channel's settings. Members with `secret: true` are never shown again. */
  readonly settings: S
  readonly operations: OperationTable<Static<S>>
  readonly encoders: EncoderTable<Static<S>>
  /** What cannot be computed from the tables: a sentence for each thing that works differently here. */
  readonly notes: readonly string[]
  /** The provider's own limits that a call counts against, beside the account's. */
  readonly limits?: (channel: BoundChannel<Static<S>>, call: CallFacts) => Limit[]
  /**
   * A cheap read that shows whether the provider answers at all: asked while a channel's breaker is open. Absent: one
   * message goes out as the trial.
   */
  readonly probe?: Probe
  /** With sendBatch: the most messages of one call. A lost answer makes all of them unknown. */
  readonly batch?: { most: number }
  /** The channel that sandbox mode begins with; absent: none of this provider. */
  readonly demo?: { id: string; settings: Static<S> }
  /** Strict schema of this provider's part of a message's providerOptions; absent: it has none. */
  readonly options?: TSchema
  /** Remarks about settings that are valid today, e.g. a version that ends soon. `now` in milliseconds. */
  readonly remarks?: (settings: Static<S>, now: number) => string[]
  /**
   * Reads a failure that carries the provider's own words; undefined: not the provider's, judge by transport and status.
   * `operation` is the act that failed, for words that mean another thing in each ("no such object": whose?).
   */
  readonly classify: (failure: UpstreamFailure, operation?: Operation) => Verdict | undefined
  /** How its webhooks are read; absent: this provider tells nothing by itself. */
  readonly hear?: Hearing<Static<S>>
}

/** Fixes the settings type of the whole record, so that a misspelt key or a wrong handler does not compile. */
export function defineAdapter<S extends TSchema>(adapter: Adapter<S>): Adapter<S> {
  return Object.freeze(adapter)
}

/** Any adapter, where the settings' type does not matter. */
// biome-ignore lint/suspicious/noExplicitAny: the registry holds adapters of different settings
export type AnyAdapter = Adapter<any>
