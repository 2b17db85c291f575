import type { NativeRequest, Operations } from '../adapter.ts'
import { defineAdapter } from '../adapter.ts'
import { done, receipt, uploaded } from './decode.ts'
import { templatePage } from './definition.ts'
import { encoders } from './encode.ts'
import { classify } from './errors.ts'
import { hearing } from './hear/index.ts'
import { limits } from './limits.ts'
import { located, locateRequest } from './media.ts'
import * as numbers from './numbers.ts'
import { graphPath, remarks, Settings } from './settings.ts'
import { createdTemplate, createRequest, deleteTemplateRequest } from './templates.ts'
import * as webhooks from './webhooks.ts'

/** Without `fields`, Meta leaves out why a template was rejected, what it is for, and its quality. */
const templateFields =
  'id,name,language,status,category,sub_category,parameter_format,components,rejected_reason,quality_score'

/** Meta spells it en_US. */
function metaLanguage(language: string | undefined): string | undefined {
  const [code = '', region] = language?.split(/[_-]/) ?? []
  return region === undefined ? language?.toLowerCase() : `${code.toLowerCase()}_${region.toUpperCase()}`
}

const templateRequest = (settings: Settings, input: Operations['listTemplates']['input']): NativeRequest => ({
  method: 'GET',
  path: graphPath(settings, settings.businessAccountId, 'message_templates'),
  query: {
    fields: templateFields,
    name: input.name,
    // Meta's constants
    status: input.status?.toUpperCase(),
    category: input.category?.toUpperCase(),
    language: metaLanguage(input.language),
    limit: input.limit,
    after: input.cursor
  }
})

/** Meta takes no CSV; as plain text the same bytes pass, and the name keeps its ending (4.5 [M-MIME-OBS]). */
const uploadType = (mimeType: string): string => (/^text\/csv\b/i.test(mimeType) ? 'text/plain' : mimeType)

function uploadRequest(settings: Settings, { file }: Operations['uploadMedia']['input']): NativeRequest {
  const mimeType = uploadType(file.mimeType)
  return {
    method: 'POST',
    path: graphPath(settings, settings.phoneNumberId, 'media'),
    body: {
      multipart: [
        { name: 'messaging_product', value: 'whatsapp' },
        { name: 'type', value: mimeType },
        // Meta judges the type of the part, not the field above (same source)
        { name: 'file', file: { ...file, mimeType } }
      ]
    }
  }
}

/** With the number's id, Meta answers only for media of this number (4.6). */
const deleteRequest = (settings: Settings, input: Operations['deleteMedia']['input']): NativeRequest => ({
  method: 'DELETE',
  path: graphPath(settings, input.providerMediaId),
  query: { phone_number_id: settings.phoneNumberId }
})

export const whatsappCloud = defineAdapter({
  provider: 'whatsapp-cloud',
  app: 'whatsapp-business',
  settings: Settings,
  operations: {
    sendMessage: async (_channel, { request }, call) => receipt(await call.request(request)),
    listTemplates: async ({ id, settings }, input, call) =>
      templatePage(await call.request(templateRequest(settings, input)), id),
    uploadMedia: async ({ settings }, input, call) => uploaded(await call.request(uploadRequest(settings, input))),
    deleteMedia: async ({ settings }, input, call) => done(await call.request(deleteRequest(settings, input))),
    locateMedia: async ({ settings }, input, call) => located(await call.request(locateRequest(settings, input))),
    createTemplate: async ({ settings }, input, call) =>
      createdTemplate(await call.request(createRequest(settings, input)), input),
    deleteTemplate: async ({ settings }, input, call) =>
      done(await call.request(deleteTemplateRequest(settings, input))),
    markMessageRead: async ({ settings }, input, call) =>
      done(await call.request(numbers.markReadRequest(settings, input))),
    listPhoneNumbers: async ({ settings }, input, call) =>
      numbers.numberPage(await call.request(numbers.numbersRequest(settings, input))),
    getPhoneNumber: async ({ settings }, _input, call) =>
      numbers.oneNumber(await call.request(numbers.numberRequest(settings))),
    getProfile: async ({ settings }, _input, call) =>
      numbers.profile(await call.request(numbers.profileRequest(settings))),
    updateProfile: async ({ settings }, input, call) =>
      done(await call.request(numbers.updateProfileRequest(settings, input))),
    getWebhookSubscription: async ({ settings }, _input, call) =>
      webhooks.subscribed(await call.request(webhooks.subscriptionRequest(settings))),
    subscribeWebhooks: async ({ settings }, _input, call) =>
      done(await call.request(webhooks.subscribeRequest(settings))),
    registerWebhook: async ({ settings }, input, call) => {
      done(await call.request(webhooks.registerRequest(settings, input)))
      return {}
    },
    getWebhook: async ({ settings }, _input, call) =>
      webhooks.registered(await call.request(webhooks.readRequest(settings))),
    removeWebhook: async ({ settings }, _input, call) => done(await call.request(webhooks.removeRequest(settings)))
  },
  encoders,
  demo: {
    id: 'demo-cloud',
    settings: { phoneNumberId: '106540352242922', businessAccountId: '102290129340398' }
  },
  limits,
  probe: { operation: 'getPhoneNumber', input: {} },
  notes: [
    'Outside the 24-hour window WhatsApp often accepts a message and fails it by webhook seconds later (131047).',
    'A file kept here is uploaded to WhatsApp before it is sent; WhatsApp keeps it for 30 days.',
    'A CSV file is uploaded as plain text under its own name, because WhatsApp takes no CSV.',
    'A contact card with only a formatted name carries it as first name too: WhatsApp wants a second part.',
    'WhatsApp keeps no contacts and no history: Switchboard keeps an address book, and shows its own messages.',
    'Flows, catalogs, carousels, limited-time offers, products, orders and GIF headers of a template cannot be filled in: such a template is refused, and told in unsupportedParts.',
    'A template with a file in its header needs a handle of Meta’s upload for templates; authentication templates are made in WhatsApp Manager.'
  ],
  remarks,
  classify,
  hear: hearing
})
