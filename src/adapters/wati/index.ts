import { defineAdapter } from '../adapter.ts'
import { pageNumber, receipt, templatesPage } from './decode.ts'
import { encoders } from './encode.ts'
import { classify } from './errors.ts'
import { accepted, holding } from './outcome.ts'
import { Settings } from './settings.ts'

export const wati = defineAdapter({
  provider: 'wati',
  app: 'wati',
  settings: Settings,
  operations: {
    sendMessage: async (_channel, { request }, call) => receipt(accepted(await call.request(request))),

    // WATI filters by nothing of ours (UPSTREAM.md 3.4.7): a page holds whatever there is
    listTemplates: async (channel, { limit, cursor }, call) => {
      const page = pageNumber(cursor)
      const { channelPhoneNumber } = channel.settings
      const query = { pageSize: limit, pageNumber: page, ...(channelPhoneNumber && { channelPhoneNumber }) }
      const answer = await call.request({ method: 'GET', path: ['api', 'v1', 'getMessageTemplates'], query })
      return templatesPage(holding('messageTemplates', answer), channel.id, page, limit)
    }
  },
  encoders,
  notes: [
    'Media goes out as a file: Switchboard fetches a link and streams it on. There is no upload ahead of a send.',
    'A media header of buttons or of a template needs a public link.',
    'Only a text can quote another message.',
    'Buttons and list rows have no ids: a reply names the title.',
    'A template’s language is the one that its name was made in; the send call has no place for another.',
    'Link previews are WATI’s decision.'
  ],
  classify
})
