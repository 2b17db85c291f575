import type { Identity } from '../../../schemas/identities.ts'
import type { Key } from '../../../schemas/keys.ts'
import type { Act, Field, Visit } from '../visit.ts'
import { overlapOf } from './channels.ts'

const at = (visit: Visit): string => encodeURIComponent(visit.params.id!)
const words = (text = ''): string[] => text.split(/[\s,]+/).filter(word => word !== '')
const secret = (answer: unknown): string => (answer as { secret: string }).secret

const named = async ({ api, params }: Visit): Promise<string> => {
  const { service, name, lastFour } = await api.get<Key>(`/keys/${encodeURIComponent(params.id!)}`)
  return `the key …${lastFour} of ${service}${name ? ` (${name})` : ''}`
}
const seen = { next: (visit: Visit) => `/console/keys/${at(visit)}` }
const overlap: Field = {
  name: 'overlapHours',
  label: 'Hours for which the old secret still counts',
  type: 'number',
  value: '24',
  hint: '0 where it has leaked: the old one ends at once.'
}

/** Keys: making, rotating and revoking them. */
export const keyActs: readonly Act[] = [
  {
    path: '/keys/new',
    title: 'New key',
    button: 'Make it',
    ask: () => ({
      sentences: ['The secret is shown once, on the next page.'],
      fields: [
        { name: 'service', label: 'Service', type: 'text', required: true },
        { name: 'name', label: 'Name', type: 'text', hint: 'For people.' },
        {
          name: 'mode',
          label: 'Mode',
          type: 'select',
          options: [
            ['test', 'test'],
            ['live', 'live']
          ]
        },
        { name: 'scopes', label: 'Scopes', type: 'text', value: 'messages:send messages:read', required: true },
        { name: 'channels', label: 'Channels', type: 'text', hint: 'Empty: all.' }
      ]
    }),
    call: ({ fields }) => {
      const { service, name, mode, scopes, channels } = fields
      const only = words(channels)
      const body = {
        service,
        mode,
        scopes: words(scopes),
        ...(name && { name }),
        ...(only.length > 0 && { channels: only })
      }
      return { method: 'POST', path: '/keys', body }
    },
    next: (_, answer) => {
      const id = (answer as Key | undefined)?.id
      return id === undefined ? '/console/keys' : `/console/keys/${id}`
    },
    done: 'The key is made.',
    secret
  },
  {
    path: '/keys/:id/rotate',
    title: 'Rotate a key',
    button: 'Make a new secret',
    danger: true,
    ask: async visit => ({
      sentences: [
        `A new secret for ${await named(visit)}; id, rights and limits stay.`,
        'It is shown once, on the next page.'
      ],
      fields: [overlap]
    }),
    call: visit => ({ method: 'POST', path: `/keys/${at(visit)}/rotate`, body: overlapOf(visit.fields) }),
    ...seen,
    done: 'The key has a new secret.',
    secret
  },
  {
    path: '/keys/:id/revoke',
    title: 'Revoke a key',
    button: 'Revoke it',
    danger: true,
    ask: async visit => ({
      sentences: [
        `From now on ${await named(visit)} is refused: here at once, on every replica within 5 seconds.`,
        'What it has had accepted goes out all the same. It cannot be taken back.'
      ]
    }),
    call: visit => ({ method: 'DELETE', path: `/keys/${at(visit)}` }),
    ...seen,
    done: 'The key is revoked.'
  },
  {
    path: '/keys/:id/secrets/:secretId/end',
    title: 'End an old secret',
    button: 'End it now',
    danger: true,
    ask: async visit => ({
      sentences: [`The secret ${visit.params.secretId} of ${await named(visit)} is refused from now on.`]
    }),
    call: visit => ({
      method: 'DELETE',
      path: `/keys/${at(visit)}/secrets/${encodeURIComponent(visit.params.secretId!)}`
    }),
    ...seen,
    done: 'The secret has ended.'
  },
  {
    path: '/identities/:id/revoke',
    title: 'Revoke an identity',
    button: 'Revoke it',
    danger: true,
    ask: async ({ api, params }) => {
      const { service, issuer } = await api.get<Identity>(`/identities/${encodeURIComponent(params.id!)}`)
      return {
        sentences: [
          `Tokens of ${issuer} are refused as ${service} from now on: here at once, on every replica within 5 seconds.`,
          'What it has had accepted goes out all the same. It cannot be taken back.'
        ]
      }
    },
    call: visit => ({ method: 'DELETE', path: `/identities/${at(visit)}` }),
    next: () => '/console/identities',
    done: 'The identity is revoked.'
  }
]
