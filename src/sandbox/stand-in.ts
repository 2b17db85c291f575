import type { Answer, Call, Operation, Refusal } from './call.ts'
import type { State } from './state.ts'
import type { Taken, Wording } from './webhooks/happening.ts'
import type { HookAccount } from './webhooks/hooks.ts'

/** Why a provider does not take a message, in neutral words: each stand-in says it as its provider does. */
export const refusals = [
  'not_on_whatsapp',
  'window_closed',
  'not_allow_listed',
  'throttled',
  'pair_limit',
  'failure_inside_200',
  'unavailable',
  'locked',
  'content_refused',
  'credential_expired'
] as const
export type RefusalName = (typeof refusals)[number]

/** How one provider says one of them. */
export interface Said {
  /** For the table of the manual: the status and what tells it apart. */
  words: string
  answer: (call: Call, retryAfterSeconds?: number) => Answer
}

/** Where webhooks are registered for what a message belongs to: keys of hooks, the first that has any counts. */
export interface HookKeys {
  keys: (taken: Taken, known: Iterable<string>) => string[]
  /** What the message was sent from, for whoever knows the doors. */
  scope: (taken: Taken) => HookAccount['scope']
  /** Whether bodies carry the signature of an app. */
  signed: boolean
  /** Whether an address is given up after a hundred failures in a row (docs/webhooks.md A1). */
  defective: boolean
}

/** A provider that the sandbox plays: one folder, and one line in stand-ins.ts. */
export interface StandIn {
  /** The first part of its operations' names. */
  name: string
  /** Maton's word for it, the first segment of its paths. */
  app: string
  /** How Maton connects it. */
  method: string
  operations: readonly Operation[]
  /** Everything that a provider may refuse. */
  says: Readonly<Record<RefusalName, Said>>
  /** A request that is not formed as it wants. */
  malformed: (text: string) => Refusal
  /** Another way to write a path of its own that the provider takes as well, in the one that the operations have. */
  rewrite?: (path: string) => string
  /** What is checked of every call before its operation is. Throws Refusal. */
  check?: (call: Call) => void
  /** Puts on whatever stands on everything that it says. */
  sign?: (answer: Answer, call: Call) => Answer
  /** What a path that it does not serve is answered; default: 404 without a body. */
  nowhere?: Answer
  /** Its webhooks; absent: it tells nothing by itself. */
  webhooks?: { wording: (state: State) => Wording; hooks: HookKeys }
}
