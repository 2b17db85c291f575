import type { Connection } from '../../../schemas/connections.ts'
import type { Overview } from '../../../schemas/overview.ts'
import type { Act, Field, Visit } from '../visit.ts'
import { count } from '../words.ts'

const at = (visit: Visit): string => encodeURIComponent(visit.params.id!)
const seen = { next: (visit: Visit) => `/console/channels/${at(visit)}` }

const provider = ({ providers }: Visit): Field => ({
  name: 'provider',
  label: 'Provider',
  type: 'select',
  options: providers.map(name => [name, name] as const)
})

/** Settings as they are written: a JSON object, or nothing. */
function settingsOf(text = ''): unknown {
  try {
    return JSON.parse(text || '{}')
  } catch {
    // The API says what is wrong with it.
    return text
  }
}

const overlap: Field = {
  name: 'overlapHours',
  label: 'Hours for which the old one still counts',
  type: 'number',
  value: '24'
}
export const overlapOf = ({ overlapHours = '24' }: Record<string, string>) => ({
  overlapSeconds: Math.round(Number(overlapHours) * 3600)
})

/** Channels, their webhooks, and the accounts behind them. */
export const channelActs: readonly Act[] = [
  {
    path: '/channels/new',
    title: 'New channel',
    button: 'Make it',
    ask: visit => ({
      sentences: ['A channel is a named sender: services name it, and never the account behind it.'],
      fields: [
        { name: 'id', label: 'Name', type: 'text', required: true, hint: 'Lower-case letters, digits, - and _.' },
        provider(visit),
        { name: 'connectionId', label: 'Connection', type: 'text', required: true, hint: 'Maton’s id of the account.' },
        { name: 'settings', label: 'Settings', type: 'textarea', hint: 'JSON, as the provider needs them; else {}.' }
      ]
    }),
    call: ({ fields }) => {
      const { id, provider: name, connectionId } = fields
      return {
        method: 'POST',
        path: '/channels',
        body: { id, provider: name, connectionId, settings: settingsOf(fields.settings) }
      }
    },
    next: (_, answer) => `/console/channels/${encodeURIComponent((answer as { id?: string } | undefined)?.id ?? '')}`,
    done: 'The channel is there. Have its webhooks registered, and send a test message.'
  },
  {
    path: '/channels/:id/delete',
    title: 'Delete a channel',
    button: 'Delete it',
    danger: true,
    ask: async ({ api, params }) => {
      const { channels } = await api.get<Overview>('/overview')
      const waiting = channels.find(({ id }) => id === params.id)?.waiting ?? 0
      return { sentences: [`${count(waiting, 'message')} waiting on ${params.id}: with any it is refused.`] }
    },
    call: visit => ({ method: 'DELETE', path: `/channels/${at(visit)}` }),
    next: () => '/console/channels',
    done: 'The channel is deleted.'
  },
  {
    path: '/channels/:id/webhooks/register',
    title: 'Register webhooks',
    button: 'Have the provider call us',
    ask: () => ({
      sentences: [
        'The provider is told our address through Maton, and asked what it has noted.',
        'Messages go on meanwhile.'
      ]
    }),
    call: visit => ({ method: 'POST', path: `/channels/${at(visit)}/webhooks` }),
    ...seen,
    done: 'The provider was told: what it has noted stands under Webhooks.'
  },
  {
    path: '/channels/:id/webhooks/remove',
    title: 'Take webhooks away',
    button: 'Take them away',
    danger: true,
    ask: () => ({
      sentences: ['The provider tells us nothing any more: messages stay at accepted, and replies are not heard.']
    }),
    call: visit => ({ method: 'DELETE', path: `/channels/${at(visit)}/webhooks` }),
    ...seen,
    done: 'The webhooks are taken away.'
  },
  {
    path: '/channels/:id/webhooks/rotate',
    title: 'New webhook address',
    button: 'Make a new address',
    danger: true,
    ask: () => ({
      sentences: ['The channel gets a new secret address; the old one counts for a while yet.'],
      fields: [overlap]
    }),
    call: visit => ({ method: 'POST', path: `/channels/${at(visit)}/webhooks/rotate`, body: overlapOf(visit.fields) }),
    ...seen,
    done: 'The channel has a new address.'
  },
  {
    path: '/channels/:id/webhooks/replay',
    title: 'Read webhooks again',
    button: 'Read them again',
    ask: ({ now }) => ({
      sentences: ['Kept bodies of the last 8 days are read again. What they told has no effect twice.'],
      fields: [
        {
          name: 'since',
          label: 'Since (UTC)',
          type: 'text',
          required: true,
          value: new Date(now - 3600_000).toISOString()
        }
      ]
    }),
    call: visit => ({
      method: 'POST',
      path: `/channels/${at(visit)}/webhooks/replay`,
      body: { since: visit.fields.since }
    }),
    ...seen,
    done: 'They are being read again.'
  },
  {
    path: '/connections/new',
    title: 'Connect an account',
    button: 'Make the connection',
    ask: visit => ({
      sentences: ['Maton makes a connection that waits for somebody to authorise it: the next page has the link.'],
      fields: [provider(visit)]
    }),
    call: ({ fields, providers }) => ({
      method: 'POST',
      path: '/connections',
      body: { provider: fields.provider ?? providers[0] }
    }),
    next: (_, answer) => {
      const id = (answer as Connection | undefined)?.id
      return id === undefined ? '/console/channels' : `/console/connections/${encodeURIComponent(id)}`
    },
    done: 'The connection waits to be authorised.'
  },
  {
    path: '/connections/:id/delete',
    title: 'Delete a connection',
    button: 'Delete it',
    danger: true,
    ask: async ({ api, params }) => {
      const { channels } = await api.get<Connection>(`/connections/${encodeURIComponent(params.id!)}`)
      return {
        sentences: [
          channels.length === 0
            ? 'No channel uses it.'
            : `${count(channels.length, 'channel')} cannot send without it: ${channels.join(', ')}.`,
          'It cannot be brought back.'
        ],
        fields: [{ name: 'force', label: 'Also if a channel uses it', type: 'checkbox' }]
      }
    },
    call: visit => ({
      method: 'DELETE',
      path: `/connections/${at(visit)}${visit.fields.force === 'yes' ? '?force=true' : ''}`
    }),
    next: () => '/console/channels',
    done: 'The connection is deleted.'
  }
]
