import { Type } from '@sinclair/typebox'
import {
  CreateIdentity,
  Identity,
  IdentityPage,
  IdentityParams,
  IdentityQuery,
  PatchIdentity
} from '../schemas/identities.ts'
import { ref, strict } from '../schemas/kit.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { pageRequest } from '../src/store/page.ts'
import { guarded, idempotencyHeader, json, made, noBody, problems } from './answers.ts'
import { answerOnce } from './once.ts'

const tags = ['Keys']

export const identities: RoutePlugin = app => {
  app.post('/identities', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'createIdentity',
      tags,
      summary: 'Let callers in by tokens of their own issuer, without a secret',
      querystring: strict({}),
      headers: Type.Object(idempotencyHeader),
      body: ref(CreateIdentity),
      response: { 201: json(Identity, 'The identity.', made), ...problems(...guarded, 409, 413, 415, 422) }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const identity = await app.identities.create(request.body, request.caller)
        return { object: identity, location: `/identities/${identity.id}` }
      })
  })

  app.get('/identities', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'listIdentities',
      tags,
      summary: 'List identities, newest first',
      querystring: IdentityQuery,
      response: { 200: json(IdentityPage, 'One page.'), ...problems(...guarded) }
    },
    handler: request =>
      app.identities.list({
        ...pageRequest(request.query),
        ...(request.query.service && { service: request.query.service })
      })
  })

  app.get('/identities/:id', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'getIdentity',
      tags,
      summary: 'One identity',
      params: IdentityParams,
      querystring: strict({}),
      response: { 200: json(Identity, 'The identity.'), ...problems(...guarded, 404) }
    },
    handler: request => app.identities.get(request.params.id)
  })

  app.patch('/identities/:id', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'updateIdentity',
      tags,
      summary: 'Change what an identity asks of tokens and may do, or shut out single subjects',
      params: IdentityParams,
      querystring: strict({}),
      body: ref(PatchIdentity),
      response: { 200: json(Identity, 'The identity as it is now.'), ...problems(...guarded, 404, 409, 413, 415) }
    },
    handler: request => app.identities.patch(request.params.id, request.body as PatchIdentity, request.caller)
  })

  app.delete('/identities/:id', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'revokeIdentity',
      tags,
      summary: 'Revoke an identity: at once here, within 5 seconds on every replica',
      params: IdentityParams,
      querystring: strict({}),
      response: { 204: noBody('Revoked.'), ...problems(...guarded, 404, 409, 413, 415) }
    },
    handler: async (request, reply) => {
      await app.identities.revoke(request.params.id, request.caller)
      return reply.code(204).send()
    }
  })
}
