import type { Broadcast } from '../../../schemas/broadcasts.ts'
import type { Hold } from '../../../schemas/hold.ts'
import type { Backlog } from '../../../schemas/overview.ts'
import type { Act, Visit } from '../visit.ts'
import { count } from '../words.ts'

const at = (visit: Visit): string => encodeURIComponent(visit.params.id!)

/** How many messages wait on a channel. */
async function waitingOn({ api, params }: Visit): Promise<string> {
  const { items } = await api.get<Backlog>('/backlog')
  const waiting = items.filter(({ channel }) => channel === params.id).reduce((sum, line) => sum + line.waiting, 0)
  return count(waiting, 'message')
}

async function leftOf(visit: Visit): Promise<{ name: string; left: string; counts: Broadcast['counts'] }> {
  const { name, counts } = await visit.api.get<Broadcast>(`/broadcasts/${at(visit)}`)
  return { name, counts, left: count(counts.queued + counts.sending, 'message') }
}

const ofChannel = { next: (visit: Visit) => `/console/channels/${at(visit)}` }
const ofBroadcast = { next: (visit: Visit) => `/console/broadcasts/${at(visit)}` }
const post = (path: (visit: Visit) => string) => (visit: Visit) => ({ method: 'POST' as const, path: path(visit) })

/** What stops messages, and what lets them go again. */
export const stopping: readonly Act[] = [
  {
    path: '/channels/:id/pause',
    title: 'Pause a channel',
    button: 'Pause it',
    danger: true,
    ask: async visit => ({
      sentences: [
        `${await waitingOn(visit)} waiting on the channel ${visit.params.id} will stand still, on every replica, from now on.`,
        'What is on its way ends. New messages are accepted and wait; those that expire meanwhile are not sent any more.'
      ]
    }),
    call: post(visit => `/channels/${at(visit)}/pause`),
    ...ofChannel,
    done: 'The channel is paused: nothing of it goes out.'
  },
  {
    path: '/channels/:id/resume',
    title: 'Resume a channel',
    button: 'Let it go on',
    ask: async visit => ({
      sentences: [`${await waitingOn(visit)} waiting on the channel ${visit.params.id} will go out, in their order.`]
    }),
    call: post(visit => `/channels/${at(visit)}/resume`),
    ...ofChannel,
    done: 'The channel goes on.'
  },
  {
    path: '/broadcasts/:id/pause',
    title: 'Pause a broadcast',
    button: 'Pause it',
    danger: true,
    ask: async visit => {
      const { name, left } = await leftOf(visit)
      return { sentences: [`${left} of “${name}” will wait until it is resumed.`, 'What is on its way goes out.'] }
    },
    call: post(visit => `/broadcasts/${at(visit)}/pause`),
    ...ofBroadcast,
    done: 'The broadcast is paused.'
  },
  {
    path: '/broadcasts/:id/resume',
    title: 'Resume a broadcast',
    button: 'Let it go on',
    ask: async visit => {
      const { name, left } = await leftOf(visit)
      return { sentences: [`${left} of “${name}” will go out.`, 'What has expired meanwhile is not sent any more.'] }
    },
    call: post(visit => `/broadcasts/${at(visit)}/resume`),
    ...ofBroadcast,
    done: 'The broadcast goes on.'
  },
  {
    path: '/broadcasts/:id/cancel',
    title: 'Cancel a broadcast',
    button: 'Cancel it for good',
    danger: true,
    ask: async visit => {
      const { name, left } = await leftOf(visit)
      return {
        sentences: [
          `${left} of “${name}” will not be sent, for good.`,
          'What is on its way goes out. To stop it only for now, pause it.'
        ]
      }
    },
    call: post(visit => `/broadcasts/${at(visit)}/cancel`),
    ...ofBroadcast,
    done: 'The broadcast is canceled: only what was on its way goes out.'
  },
  {
    path: '/broadcasts/:id/retry-failed',
    title: 'Send again what failed',
    button: 'Send them again',
    ask: async visit => {
      const { name, counts } = await leftOf(visit)
      return {
        sentences: [
          `${count(counts.failed, 'message')} of “${name}” that failed for certain will be sent again.`,
          'What is unknown is left alone, since it may have arrived; so is what expired.'
        ]
      }
    },
    call: post(visit => `/broadcasts/${at(visit)}/retry-failed`),
    ...ofBroadcast,
    done: 'What failed is queued again.'
  },
  {
    path: '/hold/release',
    title: 'Release the hold',
    button: 'Let messages go out',
    danger: true,
    ask: async ({ api }) => {
      const hold = await api.get<Hold>('/admin/hold')
      const { waiting } = await api.get<Backlog>('/backlog')
      return {
        sentences: [
          `${count(waiting, 'message')} that were accepted since the restore will go out.`,
          `${count(hold.unknownMessages ?? 0, 'message')} that had not ended in the restored copy stay unknown, and are not sent: they may have gone out before.`
        ]
      }
    },
    call: () => ({ method: 'POST', path: '/admin/hold/release' }),
    next: () => '/console',
    done: 'The hold is released.'
  }
]
