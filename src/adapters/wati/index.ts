import { defineAdapter, Unsupported } from '../adapter.ts'
import { batch } from './batch.ts'
import { attributesRequest, contact, contactsPage, oneRequest, theOne, upsertRequest } from './contacts.ts'
import { receipt } from './decode.ts'
import { encoders } from './encode.ts'
import { classify } from './errors.ts'
import { hearing } from './hear/index.ts'
import { conversationPage, holdingMessages, mediaRequest, mediaStream } from './history.ts'
import { limits } from './limits.ts'
import { accepted, holding } from './outcome.ts'
import { addressee, sender } from './request.ts'
import { Options, Settings } from './settings.ts'
import { templatesPage } from './template-list.ts'
import { made, readRequest, registered, registerRequest, removeRequest } from './webhooks.ts'

export const wati = defineAdapter({
  provider: 'wati',
  app: 'wati',
  settings: Settings,
  operations: {
    sendMessage: async (_channel, { request }, call) => receipt(accepted(await call.request(request))),
    sendBatch: async (channel, input, call) => {
      const { request, read } = batch(input, channel)
      return read(await call.request(request))
    },

    // WATI filters by nothing of ours (docs/upstream.md 3.4.7): a page holds whatever there is, so a search takes large ones
    listTemplates: async (channel, { limit, cursor, ...filter }, call) => {
      const { page, read } = templatesPage(Object.values(filter).some(Boolean) ? 100 : limit, cursor)
      const query = { ...page, ...sender(channel) }
      const answer = await call.request({ method: 'GET', path: ['api', 'v1', 'getMessageTemplates'], query })
      return read(holding('messageTemplates', answer), channel.id)
    },

    // docs/upstream.md 3.4.14: everything in the query; without an email the bot has it
    assignContact: async (channel, { phone, email }, call) => {
      const query = { ...addressee(phone), email, ...sender(channel) }
      accepted(await call.request({ method: 'POST', path: ['api', 'v1', 'assignOperator'], query }))
      return null
    },

    listContacts: async (channel, input, call) => {
      const { request, read } = contactsPage(input)
      return read(holding('contact_list', await call.request(request)), channel.id)
    },
    getContact: async (channel, { phone }, call) =>
      theOne(holding('contact_list', await call.request(oneRequest(phone))), phone, channel.id),
    upsertContact: async (channel, input, call) =>
      contact(accepted(await call.request(upsertRequest(input))).contact, channel.id) ?? null,
    updateContactAttributes: async (_channel, input, call) => {
      accepted(await call.request(attributesRequest(input)))
      return null
    },
    listConversation: async (channel, input, call) => {
      const { request, read } = conversationPage(input, channel)
      return read(holdingMessages(await call.request(request)))
    },
    getMedia: async (_channel, input, call) => mediaStream(await call.stream(mediaRequest(input))),

    registerWebhook: async ({ settings }, input, call) => made(await call.request(registerRequest(settings, input))),
    getWebhook: async (_channel, { url }, call) => registered(await call.request(readRequest()), url),
    // without WATI's id nothing says which endpoint is meant
    removeWebhook: async (_channel, { id }, call) => {
      if (id === undefined)
        throw new Unsupported('WATI gave no id of this webhook: delete it in its dashboard, Connectors > Webhooks.')
      accepted(await call.request(removeRequest(id)))
      return null
    }
  },
  encoders,
  demo: { id: 'demo-wati', settings: {} },
  // of the thousand that one call may hold: a quarter is fast enough, and a lost answer makes all of it unknown
  batch: { most: 250 },
  options: Options,
  limits,
  probe: { operation: 'listTemplates', input: { limit: 1 } },
  notes: [
    'Media goes out as a file: Switchboard fetches a link and streams it on. There is no upload ahead of a send.',
    'A media header of buttons or of a template needs a public link.',
    'Only a text can quote another message.',
    'Buttons and list rows have no ids: a reply names the title.',
    'A template’s language is the one that its name was made in; the send call has no place for another.',
    'Link previews are WATI’s decision.',
    'Contacts and their history are WATI’s own; a contact cannot be deleted through its API.'
  ],
  classify,
  hear: hearing
})
