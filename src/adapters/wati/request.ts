import { isUserId } from '../../phone.ts'
import { type BoundChannel, type NativeRequest, type ResolvedMedia, type Sendable, Unsupported } from '../adapter.ts'
import type { Settings } from './settings.ts'

// What all encoders of WATI's wire share.

export type Channel = BoundChannel<Settings>

/** What is given, without what is not: an absent hint must not appear on the wire as an empty one. */
export const defined = <T extends Record<string, unknown>>(members: T) =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Partial<T>

type Query = Record<string, string | undefined>
export const post = (path: string[], query: Query, body?: NativeRequest['body']): NativeRequest => ({
  method: 'POST',
  path: ['api', ...path],
  query: defined(query),
  ...(body && { body })
})

/** Whom a call names in its query: a user id goes as `target` (docs/upstream.md 3.2). */
export const addressee = (to: string): Query => (isUserId(to) ? { target: to } : { whatsappNumber: to })
/** The query that names a recipient beside the path: WATI's `target` goes before what stands there. */
export const target = (to: string): Query => (isUserId(to) ? { target: to } : {})
/** The number of ours that a call is about, where the account has several. */
export const sender = ({ settings: { channelPhoneNumber } }: Channel): Query =>
  channelPhoneNumber === undefined ? {} : { channelPhoneNumber }

/** The recipient sees the quote, and "yes" means little without it: it changes the message and is refused. */
export function refuseQuote({ replyTo, type }: Sendable): void {
  if (replyTo === undefined) return
  throw new Unsupported(`WATI can quote only with a text message, not with ${type}: send a text, or leave out replyTo`)
}

/** Headers reach WATI as a public address and in no other way (docs/upstream.md 3.4.8, 3.4.12). */
export function linkOf({ source }: ResolvedMedia, where: string): string {
  if ('link' in source) return source.link
  throw new Unsupported(`WATI takes the media of a ${where} only as a link: give a public link instead of a mediaId`)
}
