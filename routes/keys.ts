import { Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import {
  CreateKey,
  Key,
  KeyPage,
  KeyParams,
  KeyQuery,
  KeyWithSecret,
  PatchKey,
  RevokedKey,
  RotateKey,
  SecretParams
} from '../schemas/keys.ts'
import { ref, strict } from '../schemas/kit.ts'
import type { App, RoutePlugin } from '../src/http/fastify.ts'
import { pageRequest } from '../src/store/page.ts'
import { guarded, idempotencyHeader, json, made, noBody, problems } from './answers.ts'
import { answerOnce } from './once.ts'

const tags = ['Keys']
const at = <T>(id: string, object: T) => ({ object, location: `/keys/${id}` })

/** A rotation, once: what is kept of its answer has no secret, and whoever repeats it is told it as long as that may be. */
function rotation({ keyring }: App, { params, body, caller, headers }: FastifyRequest) {
  const { id } = params as { id: string }
  let fresh: string | undefined
  return {
    rotate: async () => {
      const keep = headers['idempotency-key'] !== undefined
      const { secret, ...key } = await keyring.rotate(id, body as RotateKey, caller, keep)
      fresh = secret
      return at(id, key)
    },
    whole: async (key: Key) => ({ ...key, secret: fresh ?? (await keyring.again(key)) })
  }
}

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
        return at(key.id, key)
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
        ...(request.query.service && { service: request.query.service }),
        ...(request.query.name && { name: request.query.name }),
        ...(request.query.lastFour && { lastFour: request.query.lastFour }),
        ...(request.query.unusedSince && { unusedSince: Date.parse(request.query.unusedSince) })
      })
  })

  app.get('/keys/self', {
    config: { scope: 'any' },
    schema: {
      operationId: 'getOwnKey',
      tags,
      summary: 'The key or identity that this request carries, and its rights',
      querystring: strict({}),
      response: { 200: json(Key, 'The key.'), ...problems(...guarded) }
    },
    handler: request => app.callers.self(request.caller)
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
      response: {
        200: json(RevokedKey, 'Revoked, and these subscriptions with it.'),
        204: noBody('Revoked; no subscription was made with it.'),
        ...problems(...guarded, 404, 413, 415)
      }
    },
    handler: async (request, reply) => {
      const subscriptions = await app.keyring.revoke(request.params.id, request.caller)
      return subscriptions.length > 0 ? reply.code(200).send({ subscriptions }) : reply.code(204).send()
    }
  })

  app.post('/keys/:id/rotate', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'rotateKey',
      tags,
      summary: 'Give a key another secret; the one it has goes on counting for a while',
      description:
        'Id, rights, limits, usage and idempotency stay those of the key. With an Idempotency-Key the same secret is told again for the overlap, at most a day; then 409. The body may be left out.',
      params: KeyParams,
      querystring: strict({}),
      headers: Type.Object(idempotencyHeader),
      body: ref(RotateKey),
      response: {
        201: json(KeyWithSecret, 'The key, with its new secret.', made),
        ...problems(...guarded, 404, 409, 413, 415, 422)
      }
    },
    handler: (request, reply) => {
      const { rotate, whole } = rotation(app, request)
      return answerOnce(request, reply, rotate, request.body, { whole })
    }
  })

  app.delete('/keys/:id/secrets/:secretId', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'endKeySecret',
      tags,
      summary: 'End the overlap of an older secret at once',
      description: 'The newest one cannot be ended by itself: 409.',
      params: SecretParams,
      querystring: strict({}),
      response: { 204: noBody('It counts no more.'), ...problems(...guarded, 404, 409, 413, 415) }
    },
    handler: async (request, reply) => {
      await app.keyring.endSecret(request.params.id, request.params.secretId, request.caller)
      return reply.code(204).send()
    }
  })
}
