import { Assignee, AssigneeParams, AssigneeQuery } from '../schemas/conversations.ts'
import { ref } from '../schemas/kit.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, noBody, problems } from './answers.ts'

const tags = ['Contacts']
const answers = problems(...guarded, 404, 409, 413, 415, 422, 429, 502, 504)

export const assignee: RoutePlugin = app => {
  app.put('/contacts/:phone/assignee', {
    config: { scope: 'contacts:write' },
    schema: {
      operationId: 'assignContact',
      tags,
      summary: 'Give a conversation to an operator',
      params: AssigneeParams,
      querystring: AssigneeQuery,
      body: ref(Assignee),
      response: { 204: noBody('Assigned.'), ...answers }
    },
    handler: async (request, reply) => {
      await app.conversations.assign(request.caller, request.params.phone, { ...request.query, ...request.body })
      return reply.code(204).send()
    }
  })

  app.delete('/contacts/:phone/assignee', {
    config: { scope: 'contacts:write' },
    schema: {
      operationId: 'unassignContact',
      tags,
      summary: 'Hand a conversation to the bot',
      params: AssigneeParams,
      querystring: AssigneeQuery,
      response: { 204: noBody('The bot has it.'), ...answers }
    },
    handler: async (request, reply) => {
      await app.conversations.assign(request.caller, request.params.phone, request.query)
      return reply.code(204).send()
    }
  })
}
