import { randomBytes } from 'node:crypto'
import { messageExamples } from '../../schemas/examples.ts'
import { CreateTemplate } from '../../schemas/templates.ts'
import { order } from '../broadcasts/order.ts'
import { cloudSettings } from '../helper.ts'

// The rows of the access matrix: what each operation is called with, and what it asks for.

const boundary = 'x-boundary-x'
export const upload = [
  `--${boundary}\r\nContent-Disposition: form-data; name="channel"\r\n\r\nwati`,
  `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nHello`,
  `--${boundary}--\r\n`
].join('\r\n')

export interface Objects {
  broadcast: string
  ended: string
  message: string
  failed: string
  unknown: string
  queued: string
  media: string
  key: string
  identity: string
  /** Made by a key with every scope but admin, and by one with webhooks:write alone. */
  subscription: string
  ownSubscription: string
}
export interface Row {
  /** The scope that is asked for; none: open to everybody; any: every valid key. */
  scope?: string
  /** What stands in the path, of the objects of one service. */
  id?: (of: Objects) => string
  /** The whole path with its query, where it names no object of a service. */
  at?: string
  /** Whether the object belongs to a service: to another one it is a 404. */
  owned?: true
  body?: () => unknown
  headers?: Record<string, string>
  right: number
}
export const future = () => new Date(Date.now() + 3600_000).toISOString()
/** It is taken, and the answer cannot be read: unknown, and no sign that the provider is down. */
export const unreadable = '15550100017'
const fresh = () => randomBytes(6).toString('hex')
/** An identity whose issuer nobody asks. */
export const identityOrder = (subject: string) => ({
  ...{
    service: 'x',
    mode: 'live',
    issuer: 'https://issuer.example',
    audience: 'switchboard',
    claims: { sub: subject }
  },
  scopes: ['messages:read']
})
export const rows: Record<string, Row> = {
  sendMessage: { scope: 'messages:send', body: () => ({ ...messageExamples.text, channel: 'cloud' }), right: 201 },
  validateMessage: { scope: 'messages:send', body: () => ({ ...messageExamples.text, channel: 'cloud' }), right: 200 },
  listMessages: { scope: 'messages:read', right: 200 },
  getMessage: { scope: 'messages:read', id: of => of.message, owned: true, right: 200 },
  getMessageTimeline: { scope: 'messages:read', id: of => of.message, owned: true, right: 200 },
  cancelMessage: { scope: 'messages:send', id: of => of.queued, owned: true, right: 200 },
  resendMessage: { scope: 'messages:send', id: of => of.failed, owned: true, right: 201 },
  reconcileMessage: { scope: 'messages:send', id: of => of.unknown, owned: true, right: 200 },
  resolveMessage: {
    scope: 'messages:send',
    id: of => of.unknown,
    owned: true,
    body: () => ({ verdict: 'abandon' }),
    right: 200
  },
  resolveMessages: {
    scope: 'messages:send',
    body: () => ({ filter: { reference: 'none' }, expectedCount: 0, verdict: 'abandon' }),
    right: 200
  },
  markMessageRead: { scope: 'messages:send', at: '/messages/wamid.HBgA/read?channel=cloud', right: 204 },
  createBroadcast: {
    scope: 'broadcasts:write',
    body: () => order(1, { startAt: future() }),
    right: 202
  },
  validateBroadcast: { scope: 'broadcasts:write', body: () => order(1, {}), right: 200 },
  listBroadcasts: { scope: 'broadcasts:read', right: 200 },
  getBroadcast: { scope: 'broadcasts:read', id: of => of.broadcast, owned: true, right: 200 },
  listBroadcastMessages: { scope: 'broadcasts:read', id: of => of.broadcast, owned: true, right: 200 },
  createSubscription: {
    scope: 'webhooks:write',
    body: () => ({ url: 'https://hooks.example.com/x', events: ['message.sent'] }),
    right: 201
  },
  listSubscriptions: { scope: 'webhooks:write', right: 200 },
  getSubscription: { scope: 'webhooks:write', id: of => of.subscription, owned: true, right: 200 },
  updateSubscription: {
    scope: 'webhooks:write',
    id: of => of.ownSubscription,
    owned: true,
    body: () => ({ payload: 'thin' }),
    right: 200
  },
  listDeliveries: { scope: 'webhooks:write', id: of => of.subscription, owned: true, right: 200 },
  rotateSubscription: {
    scope: 'webhooks:write',
    id: of => of.ownSubscription,
    owned: true,
    body: () => ({ overlapSeconds: 60 }),
    right: 201
  },
  // It is not disabled: that this is what the right key is told is the control.
  enableSubscription: { scope: 'webhooks:write', id: of => of.ownSubscription, owned: true, right: 409 },
  testSubscription: {
    scope: 'webhooks:write',
    id: of => of.ownSubscription,
    owned: true,
    body: () => ({ type: 'message.sent' }),
    right: 200
  },
  replayEvents: {
    scope: 'webhooks:write',
    id: of => of.ownSubscription,
    owned: true,
    body: () => ({ since: '2026-11-20T00:00:00Z' }),
    right: 200
  },
  deleteSubscription: { scope: 'webhooks:write', id: of => of.ownSubscription, owned: true, right: 204 },
  listEvents: { scope: 'events:read', right: 200 },
  streamEvents: { scope: 'events:read', right: 200 },
  streamBroadcastEvents: { scope: 'broadcasts:read', id: of => of.ended, owned: true, right: 200 },
  pauseBroadcast: { scope: 'broadcasts:write', id: of => of.broadcast, owned: true, right: 200 },
  cancelBroadcast: { scope: 'broadcasts:write', id: of => of.broadcast, owned: true, right: 200 },
  // It is neither paused nor failed: that the state is what speaks against it is the control.
  resumeBroadcast: { scope: 'broadcasts:write', id: of => of.broadcast, owned: true, right: 409 },
  retryFailedBroadcast: { scope: 'broadcasts:write', id: of => of.broadcast, owned: true, right: 409 },
  listTemplates: { scope: 'templates:read', at: '/templates?channel=cloud', right: 200 },
  getTemplate: { scope: 'templates:read', at: '/templates/order_update?channel=cloud', right: 200 },
  createTemplate: {
    scope: 'templates:write',
    body: () => ({ ...CreateTemplate.examples[0], name: `t_${fresh()}`, channel: 'cloud' }),
    right: 201
  },
  deleteTemplate: { scope: 'templates:write', at: '/templates/hello_world?channel=cloud', right: 204 },
  assignContact: {
    scope: 'contacts:write',
    at: '/contacts/14155551234/assignee?channel=wati',
    body: () => ({ email: 'agent@example.com' }),
    right: 204
  },
  listContacts: { scope: 'contacts:read', at: '/contacts?channel=cloud', right: 200 },
  upsertContact: {
    scope: 'contacts:write',
    body: () => ({ channel: 'cloud', phone: `1${Date.now()}` }),
    right: 201
  },
  exportContacts: { scope: 'contacts:read', at: '/contacts.csv?channel=cloud', right: 200 },
  importContacts: {
    scope: 'contacts:write',
    at: '/contacts.csv?channel=cloud',
    body: () => 'phone,name\n14155551234,Ada\n',
    headers: { 'content-type': 'text/csv' },
    right: 200
  },
  getContact: { scope: 'contacts:read', at: '/contacts/14155551234?channel=wati', right: 200 },
  updateContact: {
    scope: 'contacts:write',
    at: '/contacts/14155551234?channel=cloud',
    body: () => ({ name: 'Ada' }),
    right: 200
  },
  listSuppressions: { scope: 'suppressions:read', right: 200 },
  createSuppression: {
    scope: 'suppressions:write',
    body: () => ({ to: '4915100000098', channel: 'cloud', category: 'marketing' }),
    right: 201
  },
  exportSuppressions: { scope: 'suppressions:read', right: 200 },
  importSuppressions: {
    scope: 'suppressions:write',
    at: '/suppressions.csv?channel=cloud',
    body: () => 'phone\n4915100000097\n',
    headers: { 'content-type': 'text/csv' },
    right: 200
  },
  deleteSuppressions: { scope: 'suppressions:write', at: '/suppressions?to=4915100000098&channel=cloud', right: 204 },
  erasePerson: { scope: 'admin', at: '/contacts/4915100000099/data', right: 204 },
  deleteContact: { scope: 'contacts:write', at: '/contacts/14155551234?channel=cloud', right: 204 },
  listConversation: { scope: 'inbound:read', at: '/contacts/14155551234/messages?channel=wati', right: 200 },
  getContactWindow: { scope: 'contacts:read', at: '/contacts/14155551234/window?channel=wati', right: 200 },
  unassignContact: { scope: 'contacts:write', at: '/contacts/14155551234/assignee?channel=wati', right: 204 },
  getChannelHealth: { scope: 'channels:read', id: () => 'cloud', right: 200 },
  listPhoneNumbers: { scope: 'channels:read', id: () => 'cloud', right: 200 },
  getPhoneNumber: { scope: 'channels:read', id: () => 'cloud', right: 200 },
  getProfile: { scope: 'channels:read', id: () => 'cloud', right: 200 },
  updateProfile: { scope: 'channels:write', id: () => 'cloud', body: () => ({ about: 'Hello' }), right: 200 },
  uploadMedia: {
    scope: 'media:write',
    body: () => upload,
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    right: 201
  },
  getMedia: { scope: 'media:read', id: of => of.media, owned: true, right: 200 },
  getMediaContent: { scope: 'media:read', id: of => of.media, owned: true, right: 200 },
  deleteMedia: { scope: 'media:write', id: of => of.media, owned: true, right: 204 },
  listChannels: { scope: 'channels:read', right: 200 },
  getChannel: { scope: 'channels:read', id: () => 'cloud', right: 200 },
  createChannel: {
    scope: 'admin',
    body: () => ({ id: fresh(), provider: 'whatsapp-cloud', connectionId: 'c', settings: cloudSettings }),
    right: 201
  },
  updateChannel: { scope: 'admin', id: () => 'cloud', body: () => ({ connectionId: 'cloud-connection' }), right: 200 },
  pauseChannel: { scope: 'admin', id: () => 'cloud', right: 200 },
  resumeChannel: { scope: 'admin', id: () => 'cloud', right: 200 },
  deleteChannel: { scope: 'admin', id: () => 'spare', right: 204 },
  getChannelWebhooks: { scope: 'channels:read', id: () => 'cloud', right: 200 },
  registerChannelWebhooks: { scope: 'admin', id: () => 'cloud', right: 409 },
  replayChannelWebhooks: {
    scope: 'admin',
    id: () => 'cloud',
    body: () => ({ since: '2026-11-20T00:00:00Z' }),
    right: 200
  },
  rotateChannelWebhooks: { scope: 'admin', id: () => 'cloud', body: () => ({ overlapSeconds: 60 }), right: 200 },
  removeChannelWebhooks: { scope: 'admin', id: () => 'cloud', right: 204 },
  listConnections: { scope: 'connections:read', right: 200 },
  getConnection: { scope: 'connections:read', id: () => '22222222-2222-4222-8222-222222222222', right: 200 },
  createConnection: { scope: 'connections:write', body: () => ({ provider: 'wati' }), right: 201 },
  deleteConnection: { scope: 'connections:write', id: () => '33333333-3333-4333-8333-333333333333', right: 204 },
  nativeGet: { scope: 'native', at: '/channels/wati/native/api/v1/getContacts', right: 200 },
  nativePost: {
    scope: 'native',
    at: '/channels/wati/native/api/v1/addContact/14155551234',
    body: () => ({ name: 'x' }),
    right: 200
  },
  // Nobody serves these there: that it is the provider who says so is the control.
  nativePut: { scope: 'native', at: '/channels/wati/native/api/v1/nothing', body: () => ({}), right: 404 },
  nativePatch: { scope: 'native', at: '/channels/wati/native/api/v1/nothing', body: () => ({}), right: 404 },
  nativeDelete: { scope: 'native', at: '/channels/wati/native/api/v1/nothing', right: 404 },
  createKey: { scope: 'admin', body: () => ({ service: 'x', mode: 'live', scopes: ['messages:read'] }), right: 201 },
  // What it asks for is another's at each call: two that one token could be are a conflict.
  createIdentity: { scope: 'admin', body: () => identityOrder(fresh()), right: 201 },
  listIdentities: { scope: 'admin', right: 200 },
  getIdentity: { scope: 'admin', id: of => of.identity, right: 200 },
  updateIdentity: { scope: 'admin', id: of => of.identity, body: () => ({ name: 'x' }), right: 200 },
  revokeIdentity: { scope: 'admin', id: of => of.identity, right: 204 },
  listKeys: { scope: 'admin', right: 200 },
  getOwnKey: { scope: 'any', right: 200 },
  getUsage: { scope: 'admin', right: 200 },
  listAudit: { scope: 'admin', right: 200 },
  getHold: { scope: 'admin', right: 200 },
  getOverview: { scope: 'read_all', right: 200 },
  getBacklog: { scope: 'read_all', right: 200 },
  // Nothing is held: that this is what the right key is told is the control.
  releaseHold: { scope: 'admin', right: 409 },
  getKey: { scope: 'admin', id: of => of.key, right: 200 },
  updateKey: { scope: 'admin', id: of => of.key, body: () => ({ name: 'x' }), right: 200 },
  rotateKey: { scope: 'admin', id: of => of.key, body: () => ({}), right: 201 },
  // The newest of a key does not end by itself: that it is looked for is the control.
  endKeySecret: { scope: 'admin', at: '/keys/key_0/secrets/sec_0', right: 404 },
  revokeKey: { scope: 'admin', id: of => of.key, right: 204 },
  // A wrong token, which no key opens: that the right one does is seen in test/inbound/door.test.ts.
  verifyWebhook: { at: '/webhooks/cloud/x', right: 404 },
  receiveWebhook: { at: '/webhooks/cloud/x', right: 404 },
  getLiveness: { right: 200 },
  getReadiness: { right: 200 },
  getMetrics: { right: 200 }
}
