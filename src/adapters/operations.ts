import type { Contact, ContactCondition } from '../../schemas/contacts.ts'
import type { PhoneNumber, Profile, UpdateProfile } from '../../schemas/numbers.ts'
import type { NativeStream, OutboundFile } from '../upstream/wire.ts'
import type {
  ConversationItem,
  Encoded,
  Receipt,
  Sendable,
  TemplateDefinition,
  TemplateDraft,
  Verdict
} from './adapter.ts'

// The acts on a provider. Adapters know them through adapter.ts, their door.

/** What became of one message of a batch. */
export type BatchOutcome =
  | { receipt: Receipt }
  /** It alone was refused; `retryAfterSeconds` and `throttles` are of the whole call. */
  | { verdict: Verdict }
  /** The answer does not mention it. */
  | 'untold'

/** An address that a provider tells webhooks to. */
export interface RegisteredWebhook {
  url: string
  id?: string
  /** What it is told, in the provider's words. */
  fields?: string[]
  /** What it is not told and should be, in the provider's words; absent: nothing, or not known. */
  missing?: string[]
  /** False: the provider has switched it off, because its calls failed. */
  working: boolean
  /** Whether something else than the sending number's own setting decides, e.g. the account's. */
  inherited?: true
}

/** Every act on a provider: one name from the route's operationId to the log field. Inputs and outputs are ours. */
export interface Operations {
  sendMessage: { input: Encoded; output: Receipt }
  /**
   * One template to many people in one call. `name` is what the provider shows the batch by; the messages are all of one
   * template and one language, to as many different numbers, and at most the adapter's `batch.most`. The outcomes stand in their order.
   * What is true of the whole call is thrown, as by sendMessage. A provider without such a call does not have it.
   */
  sendBatch: {
    input: { name: string; messages: Sendable<'template'>[] }
    output: { outcomes: BatchOutcome[] }
  }
  /**
   * One page. A provider that cannot filter answers everything, then also more than `limit` at once; `cursor` is its own
   * and opaque to us.
   */
  listTemplates: {
    input: { name?: string; status?: string; category?: string; language?: string; limit: number; cursor?: string }
    output: { items: TemplateDefinition[]; nextCursor: string | null }
  }
  /** Gives a file to the provider; `lifeSeconds` is how long its id can be sent. */
  uploadMedia: { input: { file: OutboundFile }; output: { providerMediaId: string; lifeSeconds: number } }
  deleteMedia: { input: { providerMediaId: string }; output: null }
  /** One page of the provider's own contacts, in its order. A provider that keeps none has none of the four. */
  listContacts: {
    input: { name?: string; createdOn?: string; conditions: ContactCondition[]; limit: number; cursor?: string }
    output: { items: Contact[]; nextCursor: string | null }
  }
  /** Null: it knows no such contact. */
  getContact: { input: { phone: string }; output: Contact | null }
  /** Makes or changes one; attributes that are not named stay. Null where the answer does not show it. */
  upsertContact: {
    input: { phone: string; name?: string; attributes?: Record<string, string> }
    output: Contact | null
  }
  /** Changes attributes of one that is there; those that are not named stay. */
  updateContactAttributes: { input: { phone: string; attributes: Record<string, string> }; output: null }
  /** One page of what was said with one person, newest first. */
  listConversation: {
    input: { phone: string; limit: number; cursor?: string }
    output: { items: ConversationItem[]; nextCursor: string | null }
  }
  /** The bytes of a file of a conversation, as they come. */
  getMedia: { input: { path: string }; output: NativeStream }
  /** Where the bytes of such a file lie for a token of the provider's own, where the provider hands out no bytes itself. */
  locateMedia: { input: { path: string }; output: { url: string; mimeType?: string } }
  /** Hands a template in for review; the category may become another than asked for. Throws Unsupported. */
  createTemplate: { input: TemplateDraft; output: { providerTemplateId: string; status: string; category: string } }
  /** Deletes one language, named by the provider's id, or all languages of the name. */
  deleteTemplate: { input: { name: string; providerTemplateId?: string }; output: null }
  /** Tells the sender that the message was read; `typing` also shows that an answer is being written. */
  markMessageRead: { input: { providerMessageId: string; typing: boolean }; output: null }
  /** Gives a conversation to an operator of the provider's inbox, without an email to its bot. `phone` is digits. */
  assignContact: { input: { phone: string; email?: string }; output: null }
  /** One page of the numbers of the channel's account. */
  listPhoneNumbers: {
    input: { limit: number; cursor?: string }
    output: { items: PhoneNumber[]; nextCursor: string | null }
  }
  /** The number that the channel sends from. */
  getPhoneNumber: { input: Record<never, never>; output: PhoneNumber }
  getProfile: { input: Record<never, never>; output: Profile }
  /** What is given replaces, empty text clears, the rest stays. */
  updateProfile: { input: UpdateProfile; output: null }
  /** Whether the provider's app is subscribed to the channel's account, without which nothing is told. */
  getWebhookSubscription: { input: Record<never, never>; output: { subscribed: boolean } }
  /** Subscribes the provider's app to the channel's account. */
  subscribeWebhooks: { input: Record<never, never>; output: null }
  /**
   * Has webhooks go to this address. The provider may call it at once, to see whether it knows the token.
   * @param input.fields what is wanted, in the provider's words; absent: all that the adapter reads
   */
  registerWebhook: {
    input: { url: string; verifyToken: string; fields?: string[] }
    output: { id?: string }
  }
  /** Where webhooks go at present; null: nowhere that is known. */
  getWebhook: { input: { url?: string }; output: RegisteredWebhook | null }
  /** Takes an address away; `id` where the provider gave one. */
  removeWebhook: { input: { url: string; id?: string }; output: null }
}
export type Operation = keyof Operations
/** What a lost answer means: a read may be repeated, a write has to be looked at, a send reached a person or did not. */
export const effects: Readonly<Record<Operation, 'read' | 'write' | 'send'>> = {
  sendMessage: 'send',
  sendBatch: 'send',
  listTemplates: 'read',
  uploadMedia: 'write',
  deleteMedia: 'write',
  createTemplate: 'write',
  deleteTemplate: 'write',
  markMessageRead: 'write',
  assignContact: 'write',
  listPhoneNumbers: 'read',
  getPhoneNumber: 'read',
  getProfile: 'read',
  updateProfile: 'write',
  getWebhookSubscription: 'read',
  subscribeWebhooks: 'write',
  registerWebhook: 'write',
  getWebhook: 'read',
  removeWebhook: 'write',
  listContacts: 'read',
  getContact: 'read',
  upsertContact: 'write',
  updateContactAttributes: 'write',
  listConversation: 'read',
  getMedia: 'read',
  locateMedia: 'read'
}
