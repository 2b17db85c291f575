import t from 'tap'
import { whatsappCloud } from '../../src/adapters/whatsapp-cloud/index.ts'
import { conformance } from '../conformance/adapter.ts'

const error = (code: number, details: string) => ({
  error: { message: `(#${code}) ${details}`, type: 'OAuthException', code, error_data: { details }, fbtrace_id: 'A1b2' }
})

await conformance(t, {
  adapter: whatsappCloud,
  settings: { phoneNumberId: '106540352242922', businessAccountId: '102290129340398', graphVersion: 'v24.0' },
  paths: {
    sendMessage: 'POST /whatsapp-business/v24.0/106540352242922/messages',
    listTemplates: 'GET /whatsapp-business/v24.0/102290129340398/message_templates',
    uploadMedia: 'POST /whatsapp-business/v24.0/106540352242922/media',
    createTemplate: 'POST /whatsapp-business/v24.0/102290129340398/message_templates',
    deleteTemplate: 'DELETE /whatsapp-business/v24.0/102290129340398/message_templates',
    markMessageRead: 'POST /whatsapp-business/v24.0/106540352242922/messages',
    listPhoneNumbers: 'GET /whatsapp-business/v24.0/102290129340398/phone_numbers',
    getPhoneNumber: 'GET /whatsapp-business/v24.0/106540352242922',
    getProfile: 'GET /whatsapp-business/v24.0/106540352242922/whatsapp_business_profile',
    updateProfile: 'POST /whatsapp-business/v24.0/106540352242922/whatsapp_business_profile',
    getWebhookSubscription: 'GET /whatsapp-business/v24.0/102290129340398/subscribed_apps',
    subscribeWebhooks: 'POST /whatsapp-business/v24.0/102290129340398/subscribed_apps',
    registerWebhook: 'POST /whatsapp-business/v24.0/106540352242922',
    getWebhook: 'GET /whatsapp-business/v24.0/106540352242922',
    removeWebhook: 'POST /whatsapp-business/v24.0/106540352242922',
    deleteMedia: 'DELETE /whatsapp-business/v24.0/{id}',
    locateMedia: 'GET /whatsapp-business/v24.0/{id}'
  },
  words: {
    success: { messaging_product: 'whatsapp', contacts: [{ wa_id: '14155551234' }], messages: [{ id: 'wamid.HBgA' }] },
    withoutId: { body: { messaging_product: 'whatsapp', contacts: [], messages: [{}] }, accepted: false },
    refusal: details => ({ status: 400, body: error(131009, details), code: 'message_rejected' }),
    throttle: { status: 429, body: error(130429, 'Throughput reached') },
    throttled: { throttles: 'channel' },
    credential: { status: 401, body: error(190, 'Error validating access token') }
  }
})
