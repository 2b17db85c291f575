// What happens after a send, in neutral words: each stand-in words it as its provider does.

/** A message that a provider took, with what is needed to play what follows. */
export interface Taken {
  provider: string
  /** Maton's id of the connection: a WATI account has its webhooks by it. */
  connectionId: string
  /** Cloud: the id of the sending number. WATI: the sending number itself, where the call named it. */
  numberId: string
  /** Digits, or a business-scoped user id. */
  to: string
  /** WhatsApp's id of it. */
  wamid: string
  /** WATI's own id, and the one that correlates: the caller's, or WATI's. */
  id?: string
  localMessageId?: string
  /** Cloud: biz_opaque_callback_data, told back as it is. */
  callbackData?: string
  type: string
  text?: string
  templateName?: string
  /** What can be pressed or picked, in its order. */
  choices: { id?: string; title: string; description?: string }[]
  /** Since when it is taken, in milliseconds. */
  at: number
}

/** A person; one without a shared number has no phone. */
export interface Somebody {
  phone?: string
  userId: string
  username?: string
  name: string
}

/** What a person writes. */
export type Words =
  | { type: 'text'; text: string }
  | { type: 'button'; id?: string; title: string; ofTemplate: boolean }
  | { type: 'list'; id?: string; title: string; description?: string }
  | { type: 'image'; caption?: string }
  | { type: 'voice' }
  | { type: 'flow'; data: Record<string, unknown> }
  | { type: 'reaction'; emoji: string }
  | { type: 'edit'; of: string; text: string }
  | { type: 'revoke'; of: string }

export interface Failure {
  /** Meta's code. */
  code: number
  title: string
  details: string
}

/** One thing that happens, and is told by webhook. */
export type Happening =
  | { kind: 'sent' | 'delivered' | 'read'; taken: Taken }
  | { kind: 'failed'; taken: Taken; failure: Failure }
  | { kind: 'wrote'; taken: Taken; who: Somebody; wamid: string; id: string; words: Words; answers: boolean }
  | { kind: 'moved'; taken: Taken; who: Somebody; newPhone: string; wamid: string }

/** How a provider words what happens: the bodies of one webhook each; none where it does not tell of it. */
export interface Wording {
  /** The most happenings that go into one body. */
  most: number
  /** @param now the instant at which it happens, in milliseconds */
  bodies(happenings: Happening[], now: number): { eventType?: string; body: unknown }[]
}

/** The person behind a recipient. The sandbox knows everybody's user id, and a username of those without a number. */
export function somebody(to: string): Somebody {
  const hidden = !/^\d+$/.test(to)
  const key = to.replace(/^[A-Z]{2}\.(ENT\.)?/, '')
  return hidden
    ? { userId: to, username: `somebody.${key.slice(-4).toLowerCase()}`, name: `Somebody ${key.slice(-4)}` }
    : { phone: to, userId: `US.5${to}`, name: `Somebody ${to.slice(-4)}` }
}
