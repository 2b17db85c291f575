import { strict } from '../schemas/kit.ts'
import { Backlog, Overview } from '../schemas/overview.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, json, problems } from './answers.ts'

const tags = ['Health']

/** The first two questions of somebody who was woken at night. */
export const overview: RoutePlugin = app => {
  app.get('/overview', {
    config: { scope: 'read_all' },
    schema: {
      operationId: 'getOverview',
      tags,
      summary: 'Is it us, Maton or a provider? A line for each channel',
      description:
        'From the store alone, counted at most once a second however many ask. Whether Maton still has a channel’s connection: GET /channels/{id}/health.',
      querystring: strict({}),
      response: { 200: json(Overview, 'What is known.'), ...problems(...guarded) }
    },
    handler: request => app.overviews.overview(request.caller)
  })

  app.get('/backlog', {
    config: { scope: 'read_all' },
    schema: {
      operationId: 'getBacklog',
      tags,
      summary: 'What is piling up, by service, lane, channel and broadcast',
      querystring: strict({}),
      response: { 200: json(Backlog, 'What waits, the longest line first.'), ...problems(...guarded) }
    },
    handler: request => app.overviews.backlog(request.caller)
  })
}
