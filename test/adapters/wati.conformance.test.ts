import t from 'tap'
import { wati } from '../../src/adapters/wati/index.ts'
import { conformance } from '../conformance/adapter.ts'

await conformance(t, {
  adapter: wati,
  settings: { channelPhoneNumber: '85264318721' },
  paths: {
    sendMessage: 'POST /wati/api/v1/sendSessionMessage/14155551234',
    sendBatch: 'POST /wati/api/v2/sendTemplateMessages',
    assignContact: 'POST /wati/api/v1/assignOperator',
    listTemplates: 'GET /wati/api/v1/getMessageTemplates',
    listContacts: 'GET /wati/api/v1/getContacts',
    getContact: 'GET /wati/api/v1/getContacts',
    upsertContact: 'POST /wati/api/v1/addContact/14155551234',
    updateContactAttributes: 'POST /wati/api/v1/updateContactAttributes/14155551234',
    registerWebhook: 'POST /wati/api/v2/webhookEndpoints',
    getWebhook: 'GET /wati/api/ext/v3/webhooks',
    removeWebhook: 'DELETE /wati/api/ext/v3/webhooks/{id}',
    listConversation: 'GET /wati/api/v1/getMessages/14155551234',
    getMedia: 'GET /wati/api/v1/getMedia'
  },
  words: {
    success: { ok: true, result: 'success', message: { whatsappMessageId: 'wamid.HBgA', text: 'Hello' } },
    withoutId: { body: { ok: true, result: 'success', message: { text: 'Hello' } }, accepted: true },
    refusal: info => ({ status: 400, body: { result: false, info }, code: 'message_rejected' }),
    throttle: { status: 429, body: { result: false, info: 'Too many requests' } },
    throttled: { throttles: 'channel', retryAfterSeconds: 10 },
    credential: { status: 401, body: { result: false, info: 'Unauthorized' } }
  }
})
