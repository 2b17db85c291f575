import type { Channel } from '../../../schemas/channels.ts'
import type { Overview } from '../../../schemas/overview.ts'
import type { Act, Field, Visit } from '../visit.ts'
import { count } from '../words.ts'

const at = (visit: Visit): string => encodeURIComponent(visit.params.id!)
const seen = { next: (visit: Visit) => `/console/messages/${at(visit)}` }

const risk: Field = {
  name: 'acceptDuplicateRisk',
  label: 'It may arrive twice, and I accept that.',
  type: 'checkbox',
  hint: 'Needed to send anew what is unknown.'
}
const verdict: Field = {
  name: 'verdict',
  label: 'What is to hold',
  type: 'select',
  options: [
    ['confirm_sent', 'It arrived: somebody asked the recipient'],
    ['abandon', 'Leave it unknown, for good'],
    ['resend', 'Send it anew, as another message']
  ]
}
const risks = [
  'Confirmed without being so, it is counted as sent, and nobody looks again.',
  'Abandoned, it is never looked for again, and never sent.',
  'Sent anew, its recipient may get it twice.'
]

/** The ruling as the API takes it. */
const rulingOf = ({ verdict = 'confirm_sent', acceptDuplicateRisk }: Record<string, string>) => ({
  verdict,
  ...(acceptDuplicateRisk === 'yes' && { acceptDuplicateRisk: true })
})

/** Lines of name=value. */
const pairs = (text = ''): Record<string, string> =>
  Object.fromEntries(
    text
      .split('\n')
      .filter(line => line.includes('='))
      .map(line => [line.slice(0, line.indexOf('=')).trim(), line.slice(line.indexOf('=') + 1).trim()])
  )

function messageOf({ channel, to = '', text = '', template = '', language = '', variables }: Record<string, string>) {
  const common = { ...(channel && { channel }), to }
  if (template === '') return { ...common, type: 'text', text: { body: text } }
  const filled = pairs(variables)
  const some = Object.keys(filled).length > 0
  const content = { name: template, ...(language && { language }), ...(some && { variables: filled }) }
  return { ...common, type: 'template', template: content }
}

export const channelField = async ({ api }: Visit): Promise<Field> => {
  const { items } = await api.get<{ items: Channel[] }>('/channels')
  return { name: 'channel', label: 'Channel', type: 'select', options: items.map(({ id }) => [id, id] as const) }
}

async function openOn({ api, fields }: Visit): Promise<number> {
  const { channels } = await api.get<Overview>('/overview')
  const fits = channels.filter(({ id }) => !fields.channel || id === fields.channel)
  return fits.reduce((sum, { unknown }) => sum + unknown.open, 0)
}

/** What can be done about messages. */
export const messageActs: readonly Act[] = [
  {
    path: '/messages/:id/cancel',
    title: 'Cancel a message',
    button: 'Cancel it',
    danger: true,
    ask: () => ({ sentences: ['1 message will not be sent. That cannot be taken back.'] }),
    call: visit => ({ method: 'POST', path: `/messages/${at(visit)}/cancel` }),
    ...seen,
    done: 'The message is canceled.'
  },
  {
    path: '/messages/:id/reconcile',
    title: 'Reconcile a message',
    button: 'Look it up at the provider',
    ask: () => ({
      sentences: [
        '1 message is looked up in the provider’s history of the conversation, where it keeps one.',
        'Nothing is sent. Where exactly one item says the same within a minute of the attempt, it is taken for the message.'
      ]
    }),
    call: visit => ({ method: 'POST', path: `/messages/${at(visit)}/reconcile` }),
    ...seen,
    done: 'It was looked up: the timeline says what was found.'
  },
  {
    path: '/messages/:id/resolve',
    title: 'Resolve an unknown message',
    button: 'Settle it',
    danger: true,
    ask: () => ({ sentences: ['1 message is settled by your word.', ...risks], fields: [verdict, risk] }),
    call: visit => ({ method: 'POST', path: `/messages/${at(visit)}/resolve`, body: rulingOf(visit.fields) }),
    ...seen,
    done: 'The message is settled.'
  },
  {
    path: '/messages/:id/resend',
    title: 'Send a message anew',
    button: 'Send it',
    danger: true,
    ask: () => ({
      sentences: ['1 new message goes out with the same content, to the same person.'],
      fields: [risk]
    }),
    call: visit => ({
      method: 'POST',
      path: `/messages/${at(visit)}/resend`,
      body: visit.fields.acceptDuplicateRisk === 'yes' ? { acceptDuplicateRisk: true } : {}
    }),
    next: (visit, answer) => `/console/messages/${(answer as { id?: string } | undefined)?.id ?? at(visit)}`,
    done: 'It is sent anew, as this message.'
  },
  {
    path: '/unknown/resolve',
    title: 'Resolve all that are unknown',
    button: 'Settle them',
    danger: true,
    ask: async visit => {
      const open = await openOn(visit)
      const where = visit.fields.channel ? ` on the channel ${visit.fields.channel}` : ''
      return {
        sentences: [`${count(open, 'message')}${where} will be settled by your word.`, ...risks],
        fields: [
          { name: 'channel', label: 'Channel', type: 'text', hint: 'Empty: all channels.' },
          verdict,
          risk,
          {
            name: 'expectedCount',
            label: 'How many you mean',
            type: 'number',
            value: String(open),
            hint: 'Where it is another number by then, nothing is changed.'
          }
        ]
      }
    },
    call: ({ fields }) => ({
      method: 'POST',
      path: '/messages/resolve',
      body: {
        filter: fields.channel ? { channel: fields.channel } : {},
        expectedCount: Number(fields.expectedCount ?? 0),
        ...rulingOf(fields)
      }
    }),
    next: () => '/console/unknown',
    done: 'They are settled.'
  },
  {
    path: '/test',
    title: 'Test message',
    button: 'Send it',
    danger: true,
    ask: async visit => ({
      sentences: ['1 message goes out, to try a channel.'],
      fields: [
        await channelField(visit),
        { name: 'to', label: 'To', type: 'text', required: true, hint: 'A number with its country, +1 415 555 1234.' },
        { name: 'text', label: 'Text', type: 'textarea', hint: 'Only to somebody who has written within 24 hours.' },
        { name: 'template', label: 'Or a template', type: 'text', hint: 'Its name; it is sent in place of the text.' },
        { name: 'language', label: 'Its language', type: 'text', hint: 'For example en_US.' },
        { name: 'variables', label: 'Its variables', type: 'textarea', hint: 'A line each: name=Ada' }
      ]
    }),
    call: ({ fields }) => ({ method: 'POST', path: '/messages', body: messageOf(fields) }),
    next: (_, answer) => {
      const id = (answer as { id?: string } | undefined)?.id
      return id === undefined ? '/console' : `/console/messages/${id}`
    },
    done: 'It is on its way: what became of it stands here.'
  }
]
