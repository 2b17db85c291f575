import { Type } from '@sinclair/typebox'
import { ref, strict } from '../schemas/kit.ts'
import {
  CreateTemplate,
  DeleteTemplateQuery,
  Template,
  TemplateFilter,
  TemplatePage,
  TemplateParams,
  TemplateQuery,
  TemplateSet
} from '../schemas/templates.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, idempotencyHeader, json, made, noBody, problems } from './answers.ts'
import { answerOnce } from './once.ts'

const tags = ['Templates']
/** What every question to a provider can come back with. */
const asked = [...guarded, 404, 422, 429, 502]

export const templates: RoutePlugin = app => {
  app.get('/templates', {
    config: { scope: 'templates:read' },
    schema: {
      operationId: 'listTemplates',
      tags,
      summary: 'List templates, asked of the provider',
      description: 'A page may hold fewer than `limit`, and still be followed by another.',
      querystring: TemplateFilter,
      response: { 200: json(TemplatePage, 'One page, in the order of the provider.'), ...problems(...asked) }
    },
    handler: request => app.templates.list(request.caller, request.query)
  })

  app.get('/templates/:name', {
    config: { scope: 'templates:read' },
    schema: {
      operationId: 'getTemplate',
      tags,
      summary: 'All languages of one template, asked of the provider',
      params: TemplateParams,
      querystring: TemplateQuery,
      response: { 200: json(TemplateSet, 'The languages.'), ...problems(...asked) }
    },
    handler: request => app.templates.get(request.caller, request.params.name, request.query.channel)
  })

  app.post('/templates', {
    config: { scope: 'templates:write' },
    schema: {
      operationId: 'createTemplate',
      tags,
      summary: 'Hand a template in for review',
      description:
        'Every variable needs an example. Channels of a provider that has no call for it answer `unsupported`, as do authentication templates and headers with a file without a `handle`.',
      querystring: strict({}),
      headers: Type.Object(idempotencyHeader),
      body: ref(CreateTemplate),
      response: {
        201: json(Template, 'The template, most often pending.', made),
        ...problems(...asked, 409, 413, 415, 504)
      }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const template = await app.templates.create(request.caller, request.body)
        return { object: template, location: `/templates/${template.name}?channel=${template.channel}` }
      })
  })

  app.delete('/templates/:name', {
    config: { scope: 'templates:write' },
    schema: {
      operationId: 'deleteTemplate',
      tags,
      summary: 'Delete a template: one language, or all of them',
      description: 'WhatsApp keeps the name of an approved template locked for 30 days.',
      params: TemplateParams,
      querystring: DeleteTemplateQuery,
      response: { 204: noBody('Deleted.'), ...problems(...asked, 409, 413, 415, 504) }
    },
    handler: async (request, reply) => {
      await app.templates.remove(request.caller, request.params.name, request.query)
      return reply.code(204).send()
    }
  })
}
