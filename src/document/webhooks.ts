import { eventExamples } from '../../schemas/event-examples.ts'
import { type EventType, eventTypes, formOf } from '../../schemas/events.ts'
import { type Document, pascal } from './document.ts'

// The catalogue of events (docs/api.md 12): what a subscriber is sent, each type with an example that the sandbox makes.

const whats: Record<EventType, string> = {
  'message.received': 'Somebody wrote to a channel',
  'message.accepted': 'The provider took a message',
  'message.sent': 'The provider sent a message on',
  'message.delivered': 'A message reached the phone',
  'message.read': 'A message was read',
  'message.failed': 'A message failed',
  'message.unknown': 'Nobody knows whether a message arrived',
  'message.expired': 'A message was not handed over before its expiresAt',
  'message.canceled': 'A message was canceled before it was handed over',
  'message.undelivered': 'A message was not delivered by its deliverBy',
  'message.operator': 'Somebody else wrote through the channel’s number, in the provider’s inbox or the WhatsApp app',
  'conversation.ownership': 'A conversation went over to another responder, or came back',
  'template.updated': 'A template changed at the provider',
  'broadcast.finished': 'A broadcast ended: finished, failed or canceled',
  'connection.changed': 'A connection stands otherwise at Maton',
  'channel.updated': 'A channel is another than it was',
  'channel.silent': 'The provider tells nothing of a channel any more, or does again',
  'contact.changed': 'A person is known under another number or id',
  'suppression.added': 'Somebody must not be messaged any more'
}

/** Puts every type of event under `webhooks:`. */
export function describeEvents(document: Document): void {
  const entries = eventTypes.map(type => {
    const schema = { $ref: `#/components/schemas/${formOf(type).$id}` }
    const operation = {
      operationId: `on${pascal(type)}`,
      tags: ['Events'],
      summary: whats[type],
      security: [],
      requestBody: { required: true, content: { 'application/json': { schema, example: eventExamples[type] } } },
      responses: { '2XX': { description: 'It was taken; anything else is tried again.' } }
    }
    return [type, { post: operation }]
  })
  document.webhooks = Object.fromEntries(entries)
  const mapping = eventTypes.map(type => [type, `#/components/schemas/${formOf(type).$id}`])
  const { Event } = document.components.schemas
  Event!.discriminator = { propertyName: 'type', mapping: Object.fromEntries(mapping) }
}
