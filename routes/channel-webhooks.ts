import { Type } from '@sinclair/typebox'
import { ChannelParams } from '../schemas/channels.ts'
import { ref, strict } from '../schemas/kit.ts'
import { ChannelWebhooks, ReplayedWebhooks, ReplayWebhooks, RotateWebhook } from '../schemas/webhooks.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, idempotencyHeader, json, noBody, problems } from './answers.ts'
import { answerOnce } from './once.ts'

const tags = ['Webhooks']

/** Where a channel's webhooks go at its provider: looking, registering, taking away, a new secret. */
export const channelWebhooks: RoutePlugin = app => {
  app.get('/channels/:id/webhooks', {
    config: { scope: 'channels:read' },
    schema: {
      operationId: 'getChannelWebhooks',
      tags,
      summary: 'Whether the provider tells us what becomes of messages',
      params: ChannelParams,
      querystring: strict({}),
      response: { 200: json(ChannelWebhooks, 'What is known.'), ...problems(...guarded, 404) }
    },
    handler: request => app.webhookRegistrations.get(request.caller, request.params.id)
  })

  app.post('/channels/:id/webhooks', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'registerChannelWebhooks',
      tags,
      summary: 'Have the provider call us',
      description:
        'Registers the channel’s address through Maton, reads it back, and says what it could not cover. A provider that refuses is told in its own words, with the way to do it by hand.',
      params: ChannelParams,
      querystring: strict({}),
      headers: Type.Object(idempotencyHeader),
      response: {
        200: json(ChannelWebhooks, 'As it is now.'),
        ...problems(...guarded, 404, 409, 413, 415, 422, 502, 503, 504)
      }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const object = await app.webhookRegistrations.register(request.caller, request.params.id)
        return { object, location: `/channels/${request.params.id}/webhooks`, status: 200 }
      })
  })

  app.delete('/channels/:id/webhooks', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'removeChannelWebhooks',
      tags,
      summary: 'Take our address away at the provider',
      params: ChannelParams,
      querystring: strict({}),
      response: { 204: noBody('Taken away.'), ...problems(...guarded, 404, 409, 413, 415, 422, 502, 503, 504) }
    },
    handler: async (request, reply) => {
      await app.webhookRegistrations.remove(request.caller, request.params.id)
      return reply.code(204).send()
    }
  })

  app.post('/channels/:id/webhooks/rotate', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'rotateChannelWebhooks',
      tags,
      summary: 'A new secret address; the old one counts for a while yet',
      params: ChannelParams,
      querystring: strict({}),
      headers: Type.Object(idempotencyHeader),
      body: ref(RotateWebhook),
      response: {
        200: json(ChannelWebhooks, 'With the new address.'),
        ...problems(...guarded, 404, 409, 413, 415, 422, 502, 503, 504)
      }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const object = await app.webhookRegistrations.rotate(request.caller, request.params.id, request.body)
        return { object, location: `/channels/${request.params.id}/webhooks`, status: 200 }
      })
  })

  app.post('/channels/:id/webhooks/replay', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'replayChannelWebhooks',
      tags,
      summary: 'Have kept webhooks read again, after a decoder was mended',
      description:
        'Kept are those of the last 8 days. What they told has no effect twice; what was set aside gets one.',
      params: ChannelParams,
      querystring: strict({}),
      headers: Type.Object(idempotencyHeader),
      body: ref(ReplayWebhooks),
      response: {
        200: json(ReplayedWebhooks, 'They are being read.'),
        ...problems(...guarded, 404, 409, 413, 415, 422)
      }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const object = await app.replayWebhooks(request.caller, request.params.id, request.body.since)
        return { object, location: `/channels/${request.params.id}/webhooks`, status: 200 }
      })
  })
}
