import { Type } from '@sinclair/typebox'
import {
  Connection,
  ConnectionPage,
  ConnectionParams,
  ConnectionQuery,
  CreateConnection,
  DeleteConnectionQuery
} from '../schemas/connections.ts'
import { ref, strict } from '../schemas/kit.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, idempotencyHeader, json, made, noBody, problems } from './answers.ts'
import { answerOnce } from './once.ts'

const tags = ['Connections']

export const connections: RoutePlugin = app => {
  app.get('/connections', {
    config: { scope: 'connections:read' },
    schema: {
      operationId: 'listConnections',
      tags,
      summary: 'The provider accounts that Maton holds the credentials of',
      querystring: ConnectionQuery,
      response: { 200: json(ConnectionPage, 'All of them.'), ...problems(...guarded, 422, 429, 502) }
    },
    handler: request => app.connections.list(request.caller, request.query)
  })

  app.post('/connections', {
    config: { scope: 'connections:write' },
    schema: {
      operationId: 'createConnection',
      tags,
      summary: 'Begin a connection: a person completes it by opening authorizationUrl',
      querystring: strict({}),
      headers: Type.Object(idempotencyHeader),
      body: ref(CreateConnection),
      response: {
        201: json(Connection, 'The connection, pending.', made),
        ...problems(...guarded, 409, 413, 415, 422, 429, 502, 504)
      }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const connection = await app.connections.create(request.caller, request.body)
        return { object: connection, location: `/connections/${connection.id}` }
      })
  })

  app.get('/connections/:id', {
    config: { scope: 'connections:read' },
    schema: {
      operationId: 'getConnection',
      tags,
      summary: 'One connection as it stands now',
      params: ConnectionParams,
      querystring: strict({}),
      response: { 200: json(Connection, 'The connection.'), ...problems(...guarded, 404, 422, 429, 502) }
    },
    handler: request => app.connections.get(request.caller, request.params.id)
  })

  app.delete('/connections/:id', {
    config: { scope: 'connections:write' },
    schema: {
      operationId: 'deleteConnection',
      tags,
      summary: 'Delete a connection; it cannot be brought back',
      params: ConnectionParams,
      querystring: DeleteConnectionQuery,
      response: { 204: noBody('Deleted.'), ...problems(...guarded, 404, 409, 413, 415, 422, 429, 502, 504) }
    },
    handler: async (request, reply) => {
      await app.connections.remove(request.caller, request.params.id, request.query.force === true)
      return reply.code(204).send()
    }
  })
}
