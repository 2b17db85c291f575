import type { EventType } from './events.ts'

// One event of each type as the sandbox makes it, with ids and instants in place of those of the day: a test makes each of
// them and holds it against these.

const at = '2026-11-20T09:30:00.000Z'
const wamid = 'wamid.HBgLMTQxNTU1NTEyMzQVAgARGBI'

interface Place {
  channel?: string | null
  mode?: string
  service?: string
}
const event = (data: object, { channel = 'cloud', mode = 'test', service }: Place = {}) => ({
  ...{ at, mode, channel, ...(service && { service }) },
  ...{ sequence: 1795909363355000, apiVersion: '1', data }
})

const person = (digits: string) => ({ waId: digits, userId: `US.5${digits}`, name: `Somebody ${digits.slice(-4)}` })
/** What every message has, in a state in which nothing has become of it. */
const message = (changes: object) => ({
  ...{ id: 'msg_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3', channel: 'cloud', provider: 'whatsapp-cloud', mode: 'test' },
  ...{ direction: 'outbound', type: 'text', text: { body: 'Hello' }, final: true, providerMessageId: null },
  ...{ reference: null, metadata: null, warnings: [], attempts: 1, createdAt: at, ...changes }
})
/** One that was sent, so far as that says. */
const sent = (status: string, changes: object = {}) => {
  const to = '15550100111'
  const of = {
    to,
    status,
    final: false,
    providerMessageId: wamid,
    recipient: person(to),
    expiresAt: at,
    acceptedAt: at
  }
  return event(message({ ...of, ...changes }), { service: 'billing' })
}
const pricing = { category: 'service', type: 'free_customer_service', model: 'pmp' }
const own = (changes: object) => event(message({ expiresAt: at, ...changes }), { service: 'billing' })

const counts = {
  ...{ queued: 0, sending: 0, accepted: 0, sent: 0, delivered: 0, read: 1 },
  ...{ failed: 0, unknown: 0, expired: 0, canceled: 0 }
}
const failure = {
  ...{ type: '/errors#recipient_invalid', title: 'The recipient cannot be reached', status: 422 },
  detail: 'WhatsApp cannot deliver to this recipient.',
  ...{ code: 'recipient_invalid', outcome: 'not_sent', retryable: false },
  provider: {
    name: 'whatsapp-cloud',
    status: 400,
    code: '131026',
    message: 'Message Undeliverable.',
    traceId: 'A99c69132'
  }
}
const doubt = {
  ...{ type: '/errors#provider_protocol', title: 'The provider’s answer cannot be read', status: 502 },
  detail: 'The provider answered success in a form that proves nothing.',
  ...{ code: 'provider_protocol', outcome: 'unknown', retryable: false },
  provider: { name: 'whatsapp-cloud', status: 200 }
}

const made: Record<EventType, object> = {
  'message.received': event(
    message({
      ...{ direction: 'inbound', from: '15550100111', status: 'received', providerMessageId: wamid, attempts: 0 },
      ...{ text: { body: 'Thanks, got it.' }, userId: 'US.515550100111' },
      ...{ replyTo: 'msg_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3', sender: person('15550100111') }
    })
  ),
  'message.accepted': sent('accepted'),
  'message.sent': sent('sent', { pricing, sentAt: at }),
  'message.delivered': sent('delivered', { final: true, pricing, sentAt: at, deliveredAt: at }),
  'message.read': sent('read', { final: true, pricing, sentAt: at, deliveredAt: at, readAt: at }),
  'message.failed': own({ to: '15550100001', status: 'failed', error: failure, failedAt: at }),
  'message.unknown': own({
    ...{ to: '15550100017', status: 'unknown', final: false },
    ...{ recipient: person('15550100017'), error: doubt }
  }),
  'message.expired': own({ to: '14155550100', status: 'expired', attempts: 0, sendAt: at }),
  'message.canceled': own({ to: '14155550100', status: 'canceled', attempts: 0, sendAt: at }),
  'message.undelivered': sent('sent', {
    ...{ to: '15550100101', recipient: person('15550100101'), pricing },
    ...{ deliverBy: at, undeliveredAt: at, sentAt: at }
  }),
  'message.operator': event(
    message({
      ...{
        channel: 'wati',
        provider: 'wati',
        to: '14155550100',
        status: 'sent',
        final: false,
        text: { body: 'hello' }
      },
      ...{ providerMessageId: wamid, operator: { name: 'Bea', email: 'bea@example.com' }, origin: 'operator' },
      ...{ recipient: { waId: '14155550100' }, acceptedAt: at, sentAt: at }
    }),
    { channel: 'wati' }
  ),
  'conversation.ownership': event({
    ...{ person: { waId: '14155550100' }, change: 'control_taken', ours: false },
    detail: {
      metadata: { display_phone_number: '+1 415-555-0199', phone_number_id: '106540352242922' },
      control_taken: { previous_role: 'primary', new_role: 'agent' },
      ...{ from: '14155550100', timestamp: '1795774456' }
    }
  }),
  'template.updated': event({
    ...{ change: 'status', name: 'order_update', language: 'en_US', providerTemplateId: '594425479261596' },
    ...{ value: 'rejected', reason: 'INCORRECT_CATEGORY' }
  }),
  'broadcast.finished': event(
    {
      ...{ id: 'brd_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3', channel: 'cloud', mode: 'test', name: 'May' },
      ...{ template: { name: 'order_update', language: 'en_US' }, status: 'finished', total: 1, counts },
      ...{ duplicates: 0, skipped: 0, suppressed: 0, createdAt: at, startedAt: at, finishedAt: at }
    },
    { service: 'billing' }
  ),
  'connection.changed': event(
    {
      ...{ id: '11111111-1111-4111-8111-111111111111', provider: 'wati' },
      ...{ status: 'missing', before: 'active', channels: ['wati'] }
    },
    { channel: null, mode: 'live' }
  ),
  'channel.updated': event({ id: 'cloud', change: 'created' }, { mode: 'live' }),
  'channel.silent': event(
    { id: 'cloud', silentSince: at, problem: 'Meta says that the override is not ours' },
    { mode: 'live' }
  ),
  'contact.changed': event({
    change: 'number',
    before: { waId: '15550100118', userId: 'US.515550100118' },
    after: { waId: '15550100218', userId: 'US.515550100218' }
  }),
  'suppression.added': event(
    {
      ...{ id: 'sup_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3', to: '14155550123', mode: 'test', category: 'marketing' },
      ...{ source: 'api', createdBy: 'key_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3', createdAt: at }
    },
    { channel: null }
  )
}

/** An example of each type of event. */
export const eventExamples = Object.fromEntries(
  Object.entries(made).map(([type, rest]) => [type, { id: 'evt_06615ebba6cd784481e4ddf3922870c3', type, ...rest }])
) as unknown as Record<EventType, Record<string, unknown>>
