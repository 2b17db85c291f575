import { Type } from '@sinclair/typebox'
import { CreateKey, Key, KeyPage, KeyParams, KeyQuery, KeyWithSecret, PatchKey } from '../schemas/keys.ts'
import { ref, strict } from '../schemas/kit.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { pageRequest } from '../src/store/page.ts'
import { guarded, idempotencyHeader, json, made, noBody, problems } from './answers.ts'
import { answerOnce } from './once.ts'

const tags = ['Keys']

export const keys: RoutePlugin = app => {
  app.post('/keys', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'createKey',
      tags,
      summary: 'Make a key for a service; its secret is shown this once',
      querystring: strict({}),
      headers: Type.Object(idempotencyHeader),
      body: ref(CreateKey),
      response: {
        201: json(KeyWithSecret, 'The key, with its secret.', made),
        ...problems(...guarded, 409, 413, 415, 422)
      }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const key = await app.keyring.create(request.body, request.caller)
        return { object: key, location: `/keys/${key.id}` }
      })
  })

  app.get('/keys', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'listKeys',
      tags,
      summary: 'List keys, newest first',
      querystring: KeyQuery,
      response: { 200: json(KeyPage, 'One page, without secrets.'), ...problems(...guarded) }
    },
    handler: request =>
      app.keyring.list({
        ...pageRequest(request.query),
        ...(request.query.service && { service: request.query.service })
      })
  })

  app.get('/keys/self', {
    config: { scope: 'any' },
    schema: {
      operationId: 'getOwnKey',
      tags,
      summary: 'The key that this request carries, and its rights',
      querystring: strict({}),
      response: { 200: json(Key, 'The key.'), ...problems(...guarded) }
    },
    handler: request => app.keyring.self(request.caller)
  })

  app.get('/keys/:id', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'getKey',
      tags,
      summary: 'One key',
      params: KeyParams,
      querystring: strict({}),
      response: { 200: json(Key, 'The key, without its secret.'), ...problems(...guarded, 404) }
    },
    handler: request => app.keyring.get(request.params.id)
  })

  app.patch('/keys/:id', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'updateKey',
      tags,
      summary: 'Change what a key may do',
      params: KeyParams,
      querystring: strict({}),
      body: ref(PatchKey),
      response: { 200: json(Key, 'The key as it is now.'), ...problems(...guarded, 404, 409, 413, 415) }
    },
    handler: request => app.keyring.patch(request.params.id, request.body as PatchKey, request.caller)
  })

  app.delete('/keys/:id', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'revokeKey',
      tags,
      summary: 'Revoke a key: at once here, within 5 seconds on every replica',
      params: KeyParams,
      querystring: strict({}),
      response: { 204: noBody('Revoked.'), ...problems(...guarded, 404, 413, 415) }
    },
    handler: async (request, reply) => {
      await app.keyring.revoke(request.params.id, request.caller)
      return reply.code(204).send()
    }
  })
}
