import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Broadcast, BroadcastCheck } from '../../schemas/broadcasts.ts'
import type { SendingWindow } from '../../schemas/channel-settings.ts'
import type { Channel } from '../../schemas/channels.ts'
import { type Call, Refused } from './api.ts'
import type { Gate } from './gate.ts'
import { sendPage } from './pages.ts'

const title = 'New broadcast'
const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const satisfies SendingWindow['days']

/** A box each: what stands in a form twice under one name counts once. */
const boxOf = (day: string): string => `window-${day}`

/** The hours as the API takes them; with anything of them given, it says what is missing. */
function windowOf(fields: Record<string, string>): Record<string, unknown> | undefined {
  const { windowFrom, windowTo, windowZone } = fields
  const given = Object.entries({ from: windowFrom, to: windowTo, timeZone: windowZone })
  const some = given.flatMap(([name, value]) => (value?.trim() ? [[name, value.trim()] as const] : []))
  const days = weekdays.filter(day => fields[boxOf(day)] === 'yes')
  return some.length + days.length === 0 ? undefined : { ...Object.fromEntries(some), ...(days.length > 0 && { days }) }
}

/** The request that would accept it, or check it, as the fields stand. */
function callOf(fields: Record<string, string>, path: string): Call {
  const { channel = '', name = '', template = '', language, ratePerSecond, startAt } = fields
  const window = windowOf(fields)
  const form = {
    channel,
    name,
    template: JSON.stringify({ name: template, ...(language && { language }) }),
    ...(ratePerSecond && { ratePerSecond }),
    ...(startAt && { startAt }),
    ...(window && { window: JSON.stringify(window) })
  }
  return { method: 'POST', path, form }
}

/**
 * A new broadcast from a table: first every row is checked and shown, then what was shown is accepted. The table travels in
 * the second form, so that nothing of it is kept here in between, on whichever replica that one arrives.
 */
export function createBroadcasting(scope: FastifyInstance, gate: Gate): void {
  interface Shown {
    check?: BroadcastCheck
    problem?: Refused
  }
  const form = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { check, problem }: Shown
  ): Promise<FastifyReply> => {
    const { api, fields } = gate.visit(request)
    const { items } = await api.get<{ items: Channel[] }>('/channels')
    const skips = fields.skipInvalid === 'yes' ? '?skipInvalid=true' : ''
    const call = callOf(fields, check ? `/broadcasts${skips}` : '/broadcasts/validate')
    const page = {
      ...{ template: 'broadcast-new', title, calls: [call] },
      ...(problem && { problem: problem.problem, status: problem.problem.status })
    }
    return sendPage(
      reply,
      request.asked,
      page,
      {
        fields,
        channels: items,
        check,
        window: windowOf(fields),
        days: weekdays.map(day => ({ day, box: boxOf(day) }))
      },
      request.operator
    )
  }
  scope.get('/console/broadcasts/new', (request, reply) => form(request, reply, {}))
  scope.post('/console/broadcasts/new', async (request, reply) => {
    const { api, fields } = gate.visit(request)
    const file = { name: 'recipients.csv', bytes: Buffer.from(fields.table ?? '', 'base64') }
    try {
      if (fields.step !== 'accept') {
        const check = await api.act<BroadcastCheck>(callOf(fields, '/broadcasts/validate'), undefined, file)
        return await form(request, reply, { check })
      }
      const path = fields.skipInvalid === 'yes' ? '/broadcasts?skipInvalid=true' : '/broadcasts'
      const { id } = await api.act<Broadcast>(callOf(fields, path), fields.once, file)
      return reply.redirect(`/console/broadcasts/${id}`, 303)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      return form(request, reply, { problem: error })
    }
  })
}
