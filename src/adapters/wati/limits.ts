import type { CallFacts, Limit } from '../adapter.ts'

// WATI counts in windows of ten seconds, by endpoint (docs/upstream.md 3.8). Where the plan decides, its smallest is taken:
// the plan cannot be asked for, and a refused call would have to wait a whole window. Endpoints that it does not publish
// have none here.
const windowMs = 10_500
const contacts: Limit = { key: 'contacts', calls: 10, windowMs }
const conversations: Limit = { key: 'messages', calls: 10, windowMs }
const templates: Limit = { key: 'templates', calls: 30, windowMs }

export function limits(_channel: unknown, { operation, type }: CallFacts): Limit[] {
  if (operation === 'listContacts' || operation === 'getContact' || operation === 'upsertContact') return [contacts]
  if (operation === 'listConversation') return [conversations]
  if (operation === 'sendBatch' || (operation === 'sendMessage' && type === 'template')) return [templates]
  return []
}
