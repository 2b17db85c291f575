import type { NativeRequest, Operations } from '../adapter.ts'
import { defineAdapter } from '../adapter.ts'
import { deleted, receipt, templatePage, uploaded } from './decode.ts'
import { encoders } from './encode.ts'
import { classify } from './errors.ts'
import { graphPath, remarks, Settings } from './settings.ts'

/** Without `fields`, Meta leaves out why a template was rejected. */
const templateFields = 'id,name,language,status,category,parameter_format,components,rejected_reason'

const templateRequest = (settings: Settings, input: Operations['listTemplates']['input']): NativeRequest => ({
  method: 'GET',
  path: graphPath(settings, settings.businessAccountId, 'message_templates'),
  query: {
    fields: templateFields,
    name: input.name,
    // Meta's constants; a language is none (en_US)
    status: input.status?.toUpperCase(),
    category: input.category?.toUpperCase(),
    language: input.language,
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
    deleteMedia: async ({ settings }, input, call) => deleted(await call.request(deleteRequest(settings, input)))
  },
  encoders,
  notes: [
    'Outside the 24-hour window WhatsApp often accepts a message and fails it by webhook seconds later (131047).',
    'A file kept here is uploaded to WhatsApp before it is sent; WhatsApp keeps it for 30 days.',
    'A CSV file is uploaded as plain text under its own name, because WhatsApp takes no CSV.',
    'A contact card with only a formatted name carries it as first name too: WhatsApp wants a second part.',
    'Flow, catalog, carousel and limited-time-offer parts of a template cannot be filled in.'
  ],
  remarks,
  classify
})
