import { eventTypes } from '../../../schemas/events.ts'
import type { Subscription } from '../../../schemas/subscriptions.ts'
import type { Act, Visit } from '../visit.ts'
import { overlapOf } from './channels.ts'

const at = (visit: Visit): string => `/subscriptions/${encodeURIComponent(visit.params.id!)}`
const seen = { next: (visit: Visit) => `/console${at(visit)}` }
const urlOf = async (visit: Visit): Promise<string> => (await visit.api.get<Subscription>(at(visit))).url

/** What can be done about a subscription that does not hear. */
export const subscriptionActs: readonly Act[] = [
  {
    path: '/subscriptions/:id/replay',
    title: 'Replay events',
    button: 'Send them again',
    danger: true,
    ask: async visit => ({
      sentences: [
        `Events are posted once more to ${await urlOf(visit)}, signed anew, each with the id that it had.`,
        'Whoever has heard them already knows them by that id. A replay counts for nothing in the state of the subscription.'
      ],
      fields: [
        { name: 'eventId', label: 'One event', type: 'text', hint: 'Its id; else all since an instant.' },
        { name: 'since', label: 'All since (UTC)', type: 'text', value: new Date(visit.now - 3600_000).toISOString() },
        { name: 'onlyFailed', label: 'Only those that were given up', type: 'checkbox', value: 'yes' }
      ]
    }),
    call: visit => {
      const { eventId, since, onlyFailed } = visit.fields
      const body = eventId ? { eventId } : { since, ...(onlyFailed === 'yes' && { onlyFailed: true }) }
      return { method: 'POST', path: `${at(visit)}/replay`, body }
    },
    ...seen,
    done: 'They are being sent again: their attempts stand here.'
  },
  {
    path: '/subscriptions/:id/test',
    title: 'Send a test event',
    button: 'Send it',
    ask: async visit => ({
      sentences: [`1 event with example data is posted to ${await urlOf(visit)}.`],
      fields: [{ name: 'type', label: 'Type', type: 'select', options: eventTypes.map(type => [type, type] as const) }]
    }),
    call: visit => ({ method: 'POST', path: `${at(visit)}/test`, body: { type: visit.fields.type ?? eventTypes[0] } }),
    ...seen,
    done: 'The test event is on its way.'
  },
  {
    path: '/subscriptions/:id/enable',
    title: 'Enable a subscription',
    button: 'Enable it',
    ask: async visit => ({
      sentences: [
        `Events are posted to ${await urlOf(visit)} again from now on.`,
        'What was given up meanwhile: replay it.'
      ]
    }),
    call: visit => ({ method: 'POST', path: `${at(visit)}/enable` }),
    ...seen,
    done: 'The subscription is enabled.'
  },
  {
    path: '/subscriptions/:id/rotate',
    title: 'New signing secret',
    button: 'Make a new secret',
    danger: true,
    ask: async visit => ({
      sentences: [`What is posted to ${await urlOf(visit)} is signed with both secrets while they overlap.`],
      fields: [{ name: 'overlapHours', label: 'Hours of overlap', type: 'number', value: '24' }]
    }),
    call: visit => ({ method: 'POST', path: `${at(visit)}/rotate`, body: overlapOf(visit.fields) }),
    ...seen,
    done: 'The subscription has a new secret.',
    secret: answer => (answer as { secret: string }).secret
  },
  {
    path: '/subscriptions/:id/delete',
    title: 'Delete a subscription',
    button: 'Delete it',
    danger: true,
    ask: async visit => ({
      sentences: [`Nothing is posted to ${await urlOf(visit)} any more. It cannot be brought back.`]
    }),
    call: visit => ({ method: 'DELETE', path: at(visit) }),
    next: () => '/console/subscriptions',
    done: 'The subscription is deleted.'
  }
]
