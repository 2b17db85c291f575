import { AuditPage, AuditQuery } from '../schemas/audit.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, json, problems } from './answers.ts'

export const audit: RoutePlugin = app => {
  app.get('/audit', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'listAudit',
      tags: ['Keys'],
      summary: 'Every administrative change: who, from where, what and when, newest first',
      querystring: AuditQuery,
      response: { 200: json(AuditPage, 'One page.'), ...problems(...guarded) }
    },
    handler: request => app.audit(request.query)
  })
}
