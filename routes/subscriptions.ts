import { Type } from '@sinclair/typebox'
import { Delivery, DeliveryPage, DeliveryQuery, ReplayEvents, TestSubscription } from '../schemas/deliveries.ts'
import { ref, strict } from '../schemas/kit.ts'
import {
  CreateSubscription,
  PatchSubscription,
  RotateSubscription,
  Subscription,
  SubscriptionPage,
  SubscriptionParams,
  SubscriptionQuery,
  SubscriptionWithSecret
} from '../schemas/subscriptions.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { pageRequest } from '../src/store/page.ts'
import { guarded, idempotencyHeader, json, made, noBody, problems } from './answers.ts'
import { answerOnce } from './once.ts'

const tags = ['Subscriptions']
const config = { scope: 'webhooks:write' } as const
const acting = {
  tags,
  params: SubscriptionParams,
  querystring: strict({}),
  headers: Type.Object(idempotencyHeader)
}
const refusals = problems(...guarded, 404, 409, 413, 415, 422)

/** Who is told of events, and what was delivered. */
export const subscriptions: RoutePlugin = app => {
  app.post('/subscriptions', {
    config,
    schema: {
      operationId: 'createSubscription',
      tags,
      summary: 'Have events posted to an address',
      description:
        'Signed as Standard Webhooks say. It carries the rights of the key that makes it, as they are at each moment, and ends with it.',
      querystring: strict({}),
      headers: Type.Object(idempotencyHeader),
      body: ref(CreateSubscription),
      response: {
        201: json(SubscriptionWithSecret, 'The subscription, with its secret.', made),
        ...problems(...guarded, 409, 413, 415, 422)
      }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const object = await app.subscriptions.create(request.caller, request.body)
        return { object, location: `/subscriptions/${object.id}` }
      })
  })

  app.get('/subscriptions', {
    config,
    schema: {
      operationId: 'listSubscriptions',
      tags,
      summary: 'List subscriptions, newest first',
      querystring: SubscriptionQuery,
      response: { 200: json(SubscriptionPage, 'One page.'), ...problems(...guarded) }
    },
    handler: request => app.subscriptions.list(request.caller, pageRequest(request.query))
  })

  app.get('/subscriptions/:id', {
    config,
    schema: {
      operationId: 'getSubscription',
      tags,
      summary: 'One subscription',
      params: SubscriptionParams,
      querystring: strict({}),
      response: { 200: json(Subscription, 'The subscription.'), ...problems(...guarded, 404) }
    },
    handler: request => app.subscriptions.get(request.caller, request.params.id)
  })

  app.patch('/subscriptions/:id', {
    config,
    schema: {
      operationId: 'updateSubscription',
      tags,
      summary: 'Change where events go, and which',
      params: SubscriptionParams,
      querystring: strict({}),
      body: ref(PatchSubscription),
      response: { 200: json(Subscription, 'As it is now.'), ...problems(...guarded, 404, 413, 415) }
    },
    handler: request => app.subscriptions.patch(request.caller, request.params.id, request.body as PatchSubscription)
  })

  app.delete('/subscriptions/:id', {
    config,
    schema: {
      operationId: 'deleteSubscription',
      tags,
      summary: 'Remove a subscription; what waits for it is given up',
      params: SubscriptionParams,
      querystring: strict({}),
      response: { 204: noBody('Removed.'), ...problems(...guarded, 404, 413, 415) }
    },
    handler: async (request, reply) => {
      await app.subscriptions.remove(request.caller, request.params.id)
      return reply.code(204).send()
    }
  })

  app.post('/subscriptions/:id/rotate', {
    config,
    schema: {
      operationId: 'rotateSubscription',
      summary: 'A new secret; the old one signs too for a while',
      ...acting,
      body: ref(RotateSubscription),
      response: { 201: json(SubscriptionWithSecret, 'The subscription, with its new secret.', made), ...refusals }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const object = await app.subscriptions.rotate(request.caller, request.params.id, request.body)
        return { object, location: `/subscriptions/${object.id}` }
      })
  })

  app.post('/subscriptions/:id/enable', {
    config,
    schema: {
      operationId: 'enableSubscription',
      summary: 'Deliver again, what happens from now on',
      description: 'What happened while it was disabled is sent by POST …/replay.',
      ...acting,
      response: { 200: json(Subscription, 'As it is now.'), ...refusals }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const object = await app.subscriptions.enable(request.caller, request.params.id)
        return { object, location: `/subscriptions/${object.id}`, status: 200 }
      })
  })

  app.post('/subscriptions/:id/test', {
    config,
    schema: {
      operationId: 'testSubscription',
      summary: 'Post an example of an event once',
      description:
        'Answers what the receiver said. It carries the header `switchboard-test: 1`; no such event is in the journal.',
      ...acting,
      body: ref(TestSubscription),
      response: { 200: json(Delivery, 'The delivery, with its attempt.'), ...refusals }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const object = await app.deliveries.test(request.caller, request.params.id, request.body)
        return { object, location: `/subscriptions/${request.params.id}/deliveries`, status: 200 }
      })
  })

  app.get('/subscriptions/:id/deliveries', {
    config,
    schema: {
      operationId: 'listDeliveries',
      tags,
      summary: 'What was delivered, newest first, with each attempt',
      params: SubscriptionParams,
      querystring: DeliveryQuery,
      response: { 200: json(DeliveryPage, 'One page.'), ...problems(...guarded, 404) }
    },
    handler: request => app.deliveries.list(request.caller, request.params.id, request.query)
  })

  app.post('/subscriptions/:id/replay', {
    config,
    schema: {
      operationId: 'replayEvents',
      summary: 'Send events once more',
      description: 'Signed anew, with the same ids; to a disabled subscription too. It says nothing about its status.',
      ...acting,
      body: ref(ReplayEvents),
      response: { 200: json(Subscription, 'They are being sent.'), ...refusals }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const object = await app.deliveries.replay(request.caller, request.params.id, request.body)
        return { object, location: `/subscriptions/${object.id}/deliveries`, status: 200 }
      })
  })
}
