import { hex } from '../ids.ts'

/** One item of WATI's history: a chat message, a broadcast or a ticket event (docs/upstream.md 3.6). */
export interface MessageItem {
  id: string
  created: string
  timestamp: string
  conversationId: string
  ticketId: string
  eventType: 'message' | 'broadcastMessage' | 'ticket'
  type: string | number | null
  text: string | null
  finalText: string | null
  data: string | null
  owner: boolean | null
  statusString: string
  eventDescription: string | null
  operatorName: string | null
  assignedId: string | null
  whatsappMessageId?: string
  localMessageId?: string
  [more: string]: unknown
}

/** Files that getMedia serves, by their path. */
export interface Files {
  get(path: string): { contentType: string; bytes: Buffer } | undefined
  set(path: string, file: { contentType: string; bytes: Buffer }): void
}

/** The number whose history is there from the start. */
export const SEEDED_NUMBER = '14155551234'

/** The path in the seeded media item. */
export const SEEDED_FILE = 'data/images/0b5e1c7a-6f0d-4c39-9a57-2f6a8f1f0c11.jpg'

/** The smallest picture that decoders take, so that a type sniffer sees a real JPEG. */
const JPEG = Buffer.from(
  '/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP///////////////////////////////////////////////////////////////////////////' +
    '///////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA=',
  'base64'
)

/** An item with what all kinds share; the rest is given. */
export function item(more: Partial<MessageItem>, at = new Date()): MessageItem {
  return {
    id: hex(),
    created: at.toISOString(),
    timestamp: String(Math.floor(at.getTime() / 1000)),
    conversationId: '64f0c0de00000000000c0001',
    ticketId: '64f0c0de00000000000a0001',
    eventType: 'message',
    type: 'text',
    text: null,
    finalText: null,
    data: null,
    owner: true,
    statusString: 'SENT',
    eventDescription: null,
    operatorName: null,
    assignedId: null,
    ...more
  }
}

const INBOUND: Partial<MessageItem> = { owner: false, statusString: 'SENT' }

/** All three kinds of item and one with a file, oldest first. */
export function seedMessages(): Map<string, MessageItem[]> {
  const at = (minute: number): Date => new Date(Date.UTC(2026, 3, 1, 9, minute))
  return new Map([
    [
      SEEDED_NUMBER,
      [
        item(
          {
            eventType: 'broadcastMessage',
            type: null,
            owner: null,
            finalText: 'Hi Ada, your order 12345 is on its way.',
            statusString: 'Delivered',
            eventDescription: 'Broadcast message with using template: order_update'
          },
          at(0)
        ),
        item(
          { ...INBOUND, text: 'Where is my parcel?', whatsappMessageId: 'wamid.HBgLMTQxNTU1NTEyMzQVAgASGBQzQUFB' },
          at(5)
        ),
        item(
          {
            eventType: 'ticket',
            type: 2,
            owner: null,
            statusString: 'SENT',
            eventDescription: 'The chat has been assigned to agent@example.com'
          },
          at(6)
        ),
        item({ ...INBOUND, type: 'image', text: 'this one', data: SEEDED_FILE }, at(7)),
        item({ text: 'It arrives tomorrow.', statusString: 'Read', operatorName: 'Sam Agent' }, at(9)),
        item({ text: 'Anything else?', statusString: 'Failed', failedDetail: 'Message undeliverable' }, at(10))
      ]
    ]
  ])
}

/** Keeps the files of the last sends, and the seeded one for ever. */
export function createFiles(limit = 200): Files {
  const kept = new Map<string, { contentType: string; bytes: Buffer }>()
  const seeded = { contentType: 'image/jpeg', bytes: JPEG }
  return {
    get: path => (path === SEEDED_FILE ? seeded : kept.get(path)),
    set(path, file) {
      kept.set(path, file)
      if (kept.size > limit) kept.delete(kept.keys().next().value ?? '')
    }
  }
}
