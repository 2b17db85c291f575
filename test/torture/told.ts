// What a body of a webhook says, read apart from the adapters: the judge takes nothing on trust.

/** One thing that a provider told of a message, by WhatsApp's id of it. */
export interface Told {
  /** `wrote`: a person did. */
  kind: 'sent' | 'failed' | 'delivered' | 'read' | 'wrote'
  wamid: string
  /** Digits of the person, which stand in the id. */
  to: string
  /** It says which send of ours it is about: what was planted there. */
  planted: boolean
}

/** States in which a provider may tell that a message is, the least first. */
export const ranks = ['accepted', 'sent', 'failed', 'delivered', 'read']

interface MetaStatus {
  id: string
  status: Told['kind']
  biz_opaque_callback_data?: string
}
interface Meta {
  entry: { changes: { value: { statuses?: MetaStatus[]; messages?: { id: string }[] } }[] }[]
}
interface Wati {
  eventType: string
  whatsappMessageId?: string
  localMessageId?: string | null
}

const numberIn = (wamid: string): string =>
  /\d{11,12}/.exec(Buffer.from(wamid.replace('wamid.', ''), 'base64').toString('latin1'))?.[0] ?? ''

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
  const told = (kind: Told['kind'], wamid: string, plant: unknown): Told => ({
    ...{ kind, wamid, to: numberIn(wamid), planted: typeof plant === 'string' }
  })
  if ('entry' in body)
    return body.entry.flatMap(({ changes }) =>
      changes.flatMap(({ value: { statuses = [], messages = [] } }) => [
        ...statuses.map(({ id, status, biz_opaque_callback_data: plant }) => told(status, id, plant)),
        ...messages.map(({ id }) => told('wrote', id, undefined))
      ])
    )
  const kind = words.find(([form]) => form.test(body.eventType))?.[1]
  if (kind === undefined || body.whatsappMessageId === undefined) return []
  return [told(kind, body.whatsappMessageId, body.localMessageId)]
}

/**
 * A body of Meta's without what was planted in the sends to some recipients. WATI's stay: a sent message that names nothing
 * of ours is an operator's there (docs/webhooks.md A5).
 */
export function withoutPlants(bytes: Buffer, bare: (to: string) => boolean): Buffer {
  const body = JSON.parse(bytes.toString()) as Meta | Wati
  if (!('entry' in body)) return bytes
  for (const { changes } of body.entry)
    for (const { value } of changes)
      for (const status of value.statuses ?? []) if (bare(numberIn(status.id))) delete status.biz_opaque_callback_data
  return Buffer.from(JSON.stringify(body))
}
