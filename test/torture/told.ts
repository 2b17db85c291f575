// What a body of a webhook says, read apart from the adapters: the judge takes nothing on trust.

/** One thing that a provider told of a message, by WhatsApp's id of it. */
export interface Told {
  /** `wrote`: a person did. */
  kind: 'sent' | 'failed' | 'delivered' | 'read' | 'wrote'
  wamid: string
  /** Digits of the person, which stand in the id. */
  to: string
}

/** States in which a provider may tell that a message is, the least first. */
export const ranks = ['accepted', 'sent', 'failed', 'delivered', 'read']

interface Meta {
  entry: { changes: { value: { statuses?: { id: string; status: Told['kind'] }[]; messages?: { id: string }[] } }[] }[]
}
interface Wati {
  eventType: string
  whatsappMessageId?: string
}

const numberIn = (wamid: string): string =>
  /\d{12}/.exec(Buffer.from(wamid.replace('wamid.', ''), 'base64').toString('latin1'))?.[0] ?? ''

const words: [RegExp, Told['kind']][] = [
  [/^(session|template)MessageSent/, 'sent'],
  [/^sentMessageDELIVERED/, 'delivered'],
  [/^sentMessageREAD/, 'read'],
  [/^(session|template)MessageFailed/, 'failed'],
  [/^message$/, 'wrote']
]

/** Everything that a body tells of messages. */
export function toldBy(bytes: Buffer): Told[] {
  const body = JSON.parse(bytes.toString()) as Meta | Wati
  const told = (kind: Told['kind'], wamid: string): Told => ({ kind, wamid, to: numberIn(wamid) })
  if ('entry' in body)
    return body.entry.flatMap(({ changes }) =>
      changes.flatMap(({ value: { statuses = [], messages = [] } }) => [
        ...statuses.map(({ id, status }) => told(status, id)),
        ...messages.map(({ id }) => told('wrote', id))
      ])
    )
  const kind = words.find(([form]) => form.test(body.eventType))?.[1]
  return kind === undefined || body.whatsappMessageId === undefined ? [] : [told(kind, body.whatsappMessageId)]
}
