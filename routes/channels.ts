import { Type } from '@sinclair/typebox'
import {
  Channel,
  ChannelPage,
  ChannelParams,
  CreateChannel,
  OwnChannelParams,
  PatchChannel
} from '../schemas/channels.ts'
import { ref, strict } from '../schemas/kit.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, idempotencyHeader, json, made, noBody, problems } from './answers.ts'
import { answerOnce } from './once.ts'

const tags = ['Channels']

export const channels: RoutePlugin = app => {
  app.get('/channels', {
    config: { scope: 'channels:read' },
    schema: {
      operationId: 'listChannels',
      tags,
      summary: 'The channels that this key may use',
      querystring: strict({}),
      response: { 200: json(ChannelPage, 'All of them, by id.'), ...problems(...guarded) }
    },
    handler: async request => ({ items: await app.channels.list(request.caller), nextCursor: null })
  })

  app.get('/channels/:id', {
    config: { scope: 'channels:read' },
    schema: {
      operationId: 'getChannel',
      tags,
      summary: 'One channel, with what its provider can do',
      params: ChannelParams,
      querystring: strict({}),
      response: { 200: json(Channel, 'The channel.'), ...problems(...guarded, 404) }
    },
    handler: request => app.channels.get(request.caller, request.params.id)
  })

  app.post('/channels', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'createChannel',
      tags,
      summary: 'Make a channel',
      querystring: strict({}),
      headers: Type.Object(idempotencyHeader),
      body: ref(CreateChannel),
      response: { 201: json(Channel, 'The channel.', made), ...problems(...guarded, 409, 413, 415, 422) }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const channel = await app.channels.create(request.body, request.caller)
        return { object: channel, location: `/channels/${channel.id}` }
      })
  })

  app.patch('/channels/:id', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'updateChannel',
      tags,
      summary: 'Change a channel',
      params: OwnChannelParams,
      querystring: strict({}),
      body: ref(PatchChannel),
      response: { 200: json(Channel, 'The channel as it is now.'), ...problems(...guarded, 404, 409, 413, 415) }
    },
    handler: request => app.channels.patch(request.params.id, request.body, request.caller)
  })

  app.delete('/channels/:id', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'deleteChannel',
      tags,
      summary: 'Delete a channel that has nothing waiting',
      params: OwnChannelParams,
      querystring: strict({}),
      response: { 204: noBody('Deleted.'), ...problems(...guarded, 404, 409, 413, 415) }
    },
    handler: async (request, reply) => {
      await app.channels.remove(request.params.id, request.caller)
      return reply.code(204).send()
    }
  })

  for (const act of ['pause', 'resume'] as const) {
    app.post(`/channels/:id/${act}`, {
      config: { scope: 'admin' },
      schema: {
        operationId: `${act}Channel`,
        tags,
        summary: act === 'pause' ? 'Stop a channel on every replica' : 'Let a stopped channel go on',
        description:
          act === 'pause'
            ? 'Nothing of it is handed over from now on; what is on its way ends. Messages are still accepted, and wait. Also for channels of the channels file.'
            : 'What waited goes out in its order.',
        params: OwnChannelParams,
        querystring: strict({}),
        response: { 200: json(Channel, 'The channel as it is now.'), ...problems(...guarded, 404, 413, 415) }
      },
      handler: request => app.channels.pause(request.params.id, act === 'pause', request.caller)
    })
  }
}
