import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { acts } from './acts/index.ts'
import { Refused } from './api.ts'
import type { Gate } from './gate.ts'
import { sendPage } from './pages.ts'
import type { Act, Question } from './visit.ts'

/** A form's fields with what was filled in, by the address or by a first try. */
const filled = ({ fields = [], sentences }: Question, given: Record<string, string>): Question => ({
  sentences,
  fields: fields.map(field => ({ ...field, value: given[field.name] ?? field.value ?? field.options?.[0]?.[0] ?? '' }))
})

const shown = (question: Question): Record<string, string> =>
  Object.fromEntries((question.fields ?? []).map(({ name, value = '' }) => [name, value]))

/** Every act by two routes: GET asks, with what it means; POST does it, and leads to where it can be seen. */
export function createActs(scope: FastifyInstance, gate: Gate): void {
  const ask = async (act: Act, request: FastifyRequest, reply: FastifyReply, refused?: Refused) => {
    const visit = gate.visit(request)
    const question = filled(await act.ask(visit), visit.fields)
    const call = act.call({ ...visit, fields: { ...shown(question), ...visit.fields } })
    const page = {
      ...{ template: 'act', title: act.title, calls: [call] },
      ...(refused && { problem: refused.problem, status: refused.problem.status })
    }
    return sendPage(reply, request.asked, page, { act, question, back: act.next(visit, undefined) }, request.operator)
  }
  for (const [i, act] of acts.entries()) {
    scope.get(`/console${act.path}`, (request, reply) => ask(act, request, reply))
    scope.post(`/console${act.path}`, async (request, reply) => {
      const visit = gate.visit(request)
      const call = act.call(visit)
      try {
        const answer = await visit.api.act(call, visit.fields.once)
        if (act.secret) {
          const page = { template: 'secret', title: act.title, calls: [call] }
          return await sendPage(
            reply,
            request.asked,
            page,
            { act, secret: act.secret(answer), back: act.next(visit, answer) },
            request.operator
          )
        }
        const to = act.next(visit, answer)
        return reply.redirect(`${to}${to.includes('?') ? '&' : '?'}done=${i}`, 303)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        return ask(act, request, reply, error)
      }
    })
  }
}
