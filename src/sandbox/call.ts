import type { IncomingHttpHeaders } from 'node:http'
import type { LedgerEntry } from './ledger.ts'
import type { State } from './state.ts'
import type { Taken } from './webhooks/happening.ts'
import type { Hooks } from './webhooks/hooks.ts'

/** The name of a stand-in, or `maton`. */
export type Provider = string

/** How a WATI endpoint words its failures (docs/upstream.md 3.4): each family has a body of its own. */
export type WatiShape = 'session' | 'interactive' | 'template' | 'templateV2' | 'bulk' | 'bulkV2' | 'plain'

/** One answer on the wire; an absent body is sent as no byte at all. */
export interface Answer {
  status: number
  headers?: Record<string, string>
  body?: unknown
}

/** One part of a multipart body; small files keep their bytes so that they can be served again. */
export interface Part {
  name: string
  filename?: string
  contentType: string
  size: number
  sha256: string
  value?: string
  bytes?: Buffer
}

/** What the caller sent as a body, by what its content type said. */
export type Body =
  | { kind: 'none' }
  | { kind: 'json'; value: unknown }
  | { kind: 'form'; value: Record<string, string> }
  | { kind: 'multipart'; parts: Part[] }
  | { kind: 'other'; contentType: string; size: number }
  | { kind: 'broken'; why: string }

/** One request on its way through an operation. */
export interface Call {
  operation: Operation
  /** the operation's name; a path that serves two of them settles which */
  name: string
  params: Record<string, string>
  query: Record<string, string>
  headers: IncomingHttpHeaders
  body: Body
  entry: LedgerEntry
  state: State
  /** where webhooks go */
  hooks: Hooks
  /** plays what follows a message that was taken */
  play(taken: Taken): void
  /** every number that the call would message */
  recipients: string[]
  /** a template may open a conversation, so a closed window does not touch it */
  template: boolean
  /** numbers that the fault table refuses one by one within a bulk call */
  refused: Map<string, ReceiverFault>
}

/** What a bulk call says of one receiver. */
export interface ReceiverFault {
  valid: boolean
  text: string
}

/** Does what was asked and answers; nothing has changed before it runs. */
export type Act = () => Answer | Promise<Answer>

/** One endpoint: where it is, what it takes, and what it does. */
export interface Operation {
  name: string
  provider: Provider
  kind: 'send' | 'write' | 'read'
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  query: readonly string[]
  body: 'none' | 'json' | 'json or none' | 'multipart' | 'text form'
  shape?: WatiShape
  /** checks everything, throws a Refusal, or gives back what is to be done */
  prepare(call: Call): Act
}

/** Thrown by a check; `violation` is set where a correct client would never have sent this. */
export class Refusal extends Error {
  readonly answer: Answer
  readonly violation: string | undefined

  constructor(answer: Answer, violation?: string) {
    super(violation ?? `refused with ${answer.status}`)
    this.answer = answer
    this.violation = violation
  }
}

/**
 * What the provider really took goes into the ledger, one line per recipient, and what follows it is played.
 * @param messageId the id that the caller is told
 */
export function take(
  call: Call,
  to: string,
  messageId: string,
  sent: Omit<Taken, 'provider' | 'connectionId' | 'to' | 'at'>
): void {
  const { entry, operation, headers } = call
  const { provider } = operation
  call.play({ ...sent, provider, connectionId: String(headers['maton-connection']), to, at: Date.now() })
  entry.processed = true
  entry.messageId ??= messageId
  entry.deliveries.push({ to, messageId })
}

/** The numbers that both providers take here: digits only, no plus, no leading zero (docs/upstream.md 6, row 25). */
export const PHONE = /^[1-9]\d{6,14}$/

/** WhatsApp's own id of a person for one business (docs/webhooks.md C4). */
export const USER_ID = /^[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}$/
