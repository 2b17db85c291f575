import type { DryRun } from '../../../schemas/dry-run.ts'
import type { Message, Timeline } from '../../../schemas/messages.ts'
import type { Api, Look } from '../api.ts'
import { statePicture } from '../drawings.ts'
import type { View } from '../visit.ts'

interface Page {
  items: Message[]
  nextCursor: string | null
}

/** What somebody pasted, as filters of the API: one of our ids, a number, else the provider's id or a reference. */
async function search(api: Api, text: string, filter: Record<string, string | undefined>): Promise<Page> {
  if (/^msg_[0-9a-f]{32}$/.test(text)) {
    const { value } = await api.look<Message>(`/messages/${text}`)
    return { items: value ? [value] : [], nextCursor: null }
  }
  if (/^\+?[\d\s().-]{5,24}$/.test(text) || /^[A-Z]{2}\.[\w-]+$/.test(text)) {
    const { value } = await api.look<Page>('/messages', { ...filter, contact: text })
    if (value && value.items.length > 0) return value
  }
  for (const name of ['reference', 'providerMessageId']) {
    const { value } = await api.look<Page>('/messages', { ...filter, [name]: text })
    if (value && value.items.length > 0) return value
  }
  return { items: [], nextCursor: null }
}

/** The body that would send the same again, for a look at the provider's own request. */
export function bodyOf(message: Message): Record<string, unknown> | undefined {
  const content = (message as Record<string, unknown>)[message.type]
  if (message.direction !== 'outbound' || content === undefined || message.to === undefined) return undefined
  return { channel: message.channel, to: message.to, type: message.type, [message.type]: content }
}

async function nativeOf(api: Api, message: Message): Promise<Look<DryRun> | undefined> {
  const body = bodyOf(message)
  if (!body) return undefined
  const call = { method: 'POST' as const, path: '/messages/validate', body }
  api.calls.push(call)
  try {
    return { value: await api.act<DryRun>(call) }
  } catch (error) {
    return { problem: (error as { problem: never }).problem }
  }
}

/** Show me one. */
export const messageViews: readonly View[] = [
  {
    path: '/messages',
    template: 'messages',
    title: 'Messages',
    show: async ({ api, fields }) => {
      const { q = '', status, channel, direction, cursor, broadcastId } = fields
      const filter = { status, channel, direction, broadcastId, cursor, limit: '50' }
      const page = q.trim() === '' ? await api.get<Page>('/messages', filter) : await search(api, q.trim(), filter)
      return { page, q }
    }
  },
  {
    path: '/messages/:id',
    template: 'message',
    title: 'Message',
    show: async ({ api, params }) => {
      const id = encodeURIComponent(params.id!)
      const message = await api.get<Message>(`/messages/${id}`)
      const timeline = await api.get<Timeline>(`/messages/${id}/timeline`)
      const native = await nativeOf(api, message)
      return { message, timeline, native, picture: statePicture(timeline.items) }
    }
  }
]
