import { Type } from '@sinclair/typebox'
import {
  Broadcast,
  BroadcastCheck,
  BroadcastFilter,
  BroadcastOptions,
  BroadcastPage,
  BroadcastParams,
  CreateBroadcast
} from '../schemas/broadcasts.ts'
import { ref, strict } from '../schemas/kit.ts'
import type { Claim } from '../src/delivery/intake/idempotency.ts'
import type { AppParts, RoutePlugin } from '../src/http/fastify.ts'
import type { Caller } from '../src/keys/caller.ts'
import { guarded, idempotencyHeader, json, made, problems } from './answers.ts'
import { orderOf } from './broadcasts-upload.ts'
import { answerOnce } from './once.ts'

const tags = ['Broadcasts']
/** For JSON; an upload has the limit of its file. */
const bodyLimit = 8 * 1024 * 1024

const acts = [
  ['pause', 'pauseBroadcast', 'Stop sending, until it is resumed', 'What is under way goes out; the rest waits.'],
  ['resume', 'resumeBroadcast', 'Go on with a paused broadcast', 'What has expired meanwhile is not sent any more.'],
  [
    'cancel',
    'cancelBroadcast',
    'Send nothing more of a broadcast, for good',
    'From the answer on only what is under way goes out. The counts follow within seconds.'
  ],
  [
    'retry-failed',
    'retryFailedBroadcast',
    'Send again what failed for certain',
    'Never what may have arrived (unknown), and not what expired.'
  ]
] as const

const accepted = (object: Broadcast) => ({ object, location: `/broadcasts/${object.id}`, status: 202 as const })
/** A broadcast is never made again for its key: where its answer was lost, it is found. */
const lasting = ({ broadcasts }: AppParts, caller: Caller) => ({
  again: ({ id }: Broadcast) => broadcasts.requireRights(caller, id),
  lasting: {
    prefix: 'brd' as const,
    find: async (id: string) => {
      const found = await broadcasts.find(caller, id)
      return found && accepted(found)
    }
  }
})

export const broadcasts: RoutePlugin = app => {
  app.post('/broadcasts', {
    bodyLimit,
    config: { scope: 'broadcasts:write', upload: true },
    schema: {
      operationId: 'createBroadcast',
      tags,
      summary: 'Send a template to many people',
      description:
        'As JSON with up to 10,000 recipients, or as multipart/form-data with a table of up to 100,000 rows as its last part, named file; the fields stand before it, since a form is read as it comes. The table is CSV (separated by commas, semicolons or tabs; UTF-8, UTF-16 with its mark, or the encoding that the field charset names) or an .xlsx workbook, with a header row: a column phone, perhaps a column reference; every other column is a variable of the template. Every row is checked before anything is stored or sent: a fault names its row (1 is the first below the header) and its column. Of rows with the same number the first counts.',
      headers: Type.Object(idempotencyHeader),
      querystring: BroadcastOptions,
      body: { content: { 'application/json': { schema: ref(CreateBroadcast) } } },
      response: {
        202: json(Broadcast, 'All of it is durable here, and goes out by itself.', made),
        ...problems(...guarded, 404, 409, 413, 415, 422, 429, 502)
      }
    },
    handler: async (request, reply) => {
      const { form, source, known, remove } = await orderOf(request)
      const { caller, query, traceparent } = request
      const act = async (claim?: Claim) =>
        accepted(await app.broadcasts.create(caller, form, source, { ...query, traceparent, claim }))
      return answerOnce(request, reply, act, { ...known, ...query }, lasting(app, caller)).finally(remove)
    }
  })

  app.post('/broadcasts/validate', {
    bodyLimit,
    config: { scope: 'broadcasts:write', upload: true },
    schema: {
      operationId: 'validateBroadcast',
      tags,
      summary: 'Check every row of a broadcast without accepting it',
      description: 'Takes what POST /broadcasts takes, and tells what it would make of it. Nothing is stored or sent.',
      querystring: strict({}),
      body: { content: { 'application/json': { schema: ref(CreateBroadcast) } } },
      response: {
        200: json(BroadcastCheck, 'What would be sent, and which rows are wrong.'),
        ...problems(...guarded, 404, 413, 415, 422, 429, 502)
      }
    },
    handler: async request => {
      const { form, source, remove } = await orderOf(request)
      return app.broadcasts.check(request.caller, form, source).finally(remove)
    }
  })

  app.get('/broadcasts', {
    config: { scope: 'broadcasts:read' },
    schema: {
      operationId: 'listBroadcasts',
      tags,
      summary: 'List broadcasts, newest first',
      querystring: BroadcastFilter,
      response: { 200: json(BroadcastPage, 'One page.'), ...problems(...guarded) }
    },
    handler: request => app.broadcasts.list(request.caller, request.query)
  })

  app.get('/broadcasts/:id', {
    config: { scope: 'broadcasts:read' },
    schema: {
      operationId: 'getBroadcast',
      tags,
      summary: 'One broadcast with its counts',
      params: BroadcastParams,
      querystring: strict({}),
      response: { 200: json(Broadcast, 'The broadcast.'), ...problems(...guarded, 404) }
    },
    handler: request => app.broadcasts.get(request.caller, request.params.id)
  })

  for (const [path, operationId, summary, description] of acts) {
    const name = path === 'retry-failed' ? 'retryFailed' : path
    app.post(`/broadcasts/:id/${path}`, {
      config: { scope: 'broadcasts:write', ...((path === 'pause' || path === 'cancel') && { stops: true }) },
      schema: {
        operationId,
        tags,
        summary,
        description,
        params: BroadcastParams,
        querystring: strict({}),
        response: { 200: json(Broadcast, 'The broadcast.'), ...problems(...guarded, 404, 409, 413, 415) }
      },
      handler: request => app.broadcasts[name](request.caller, request.params.id)
    })
  }
}
