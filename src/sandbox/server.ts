import multipart from '@fastify/multipart'
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { ledgerBody, readBody } from './body.ts'
import { type Answer, type Call, type Operation, Refusal } from './call.ts'
import type { MagicRecipient } from './faults.ts'
import type { Faults } from './forcing.ts'
import { checkForm, createRateLimit, isAuthorized, leakedHeaders } from './gate.ts'
import type { Ledger, LedgerEntry } from './ledger.ts'
import { checkConnection, matonOperations } from './maton/operations.ts'
import { standIns } from './stand-ins.ts'
import type { State } from './state.ts'
import type { Hooks } from './webhooks/hooks.ts'
import type { Player } from './webhooks/player.ts'
import { pause, playOnWire, say, type Wait } from './wire.ts'

/** What the endpoints are given. */
export interface World {
  state: State
  ledger: Ledger
  faults: Faults
  apiKey: string | undefined
  ratePerSecond: number
  latencyMs: number
  wait: Wait
  player: Player
  hooks: Hooks
}

/** Above Meta's largest file, so that a document over its limit is refused by the stand-in and not by the parser. */
const LARGEST = 112 * 1024 * 1024

/** All operations of Maton and of every stand-in. */
export const operations: readonly Operation[] = [
  ...matonOperations,
  ...[...standIns.values()].flatMap(({ operations }) => operations)
]

/** Maton and every provider behind one server, not yet listening. */
export async function buildServer(world: World): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: LARGEST,
    // Calls that hang would be waited for.
    forceCloseConnections: true,
    rewriteUrl: ({ url = '/' }) => [...standIns.values()].reduce((path, { rewrite }) => rewrite?.(path) ?? path, url),
    // Neither Graph nor WATI's framework minds a slash at the end
    routerOptions: { maxParamLength: 500, ignoreTrailingSlash: true }
  })
  app.removeAllContentTypeParsers()
  await app.register(multipart, { limits: { fileSize: LARGEST, fieldSize: 1024 * 1024, fieldNameSize: 1000 } })
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  const admit = createRateLimit(world.ratePerSecond)
  for (const operation of operations) {
    app.route({
      method: operation.method,
      url: operation.path,
      exposeHeadRoute: false,
      handler: (request, reply) => run(world, admit, operation, request, reply)
    })
  }
  app.setNotFoundHandler((request, reply) => nowhere(world, request, reply))
  app.setErrorHandler((error: FastifyError, request, reply) => {
    // what cannot be read is the caller's, everything else a defect of the sandbox
    const theirs = (error.statusCode ?? 500) < 500
    const status = theirs ? 400 : 500
    const why = theirs ? 'the request cannot be read' : 'the sandbox failed'
    record(world, request, { status, violations: [`${why}: ${error.message}`] })
    say(reply, { status })
  })
  return app
}

function record(world: World, request: FastifyRequest, more: Partial<LedgerEntry>): LedgerEntry {
  const entry: LedgerEntry = {
    n: 0,
    at: new Date().toISOString(),
    operation: '',
    kind: 'none',
    method: request.method,
    path: request.originalUrl.split('?', 1)[0] ?? '',
    query: request.query as Record<string, unknown>,
    headers: request.headers,
    body: null,
    status: 0,
    processed: false,
    deliveries: [],
    violations: leakedHeaders(request.headers),
    ...more
  }
  world.ledger.record(entry)
  return entry
}

/** A path that none of the three serves. */
function nowhere(world: World, request: FastifyRequest, reply: FastifyReply): void {
  const standIn = [...standIns.values()].find(({ app }) => request.url.startsWith(`/${app}/`))
  const answer = standIn?.nowhere ?? { status: 404 }
  record(world, request, { status: answer.status, violations: ['nobody serves this path'] })
  say(reply, answer)
}

async function run(
  world: World,
  admit: () => boolean,
  operation: Operation,
  request: FastifyRequest,
  reply: FastifyReply
): Promise<FastifyReply> {
  const body = await readBody(request)
  const entry = record(world, request, { operation: operation.name, kind: operation.kind, body: ledgerBody(body) })
  const finish = (answer: Answer): FastifyReply => {
    entry.status = answer.status
    say(reply, answer)
    return reply
  }
  if (!isAuthorized(request.headers.authorization, world.apiKey)) {
    entry.violations.push('the bearer is missing or wrong')
    return finish({ status: 401 })
  }
  if (!admit()) {
    entry.refused = 'too many calls in a second'
    return finish({ status: 429 })
  }
  const { query, duplicates } = readQuery(request.query as Record<string, unknown>)
  let heldMs = 0
  const call: Call = {
    operation,
    name: operation.name,
    params: request.params as Record<string, string>,
    query,
    headers: request.headers,
    body,
    entry,
    state: world.state,
    hooks: world.hooks,
    play: taken => {
      heldMs = Math.max(heldMs, world.player.take(taken))
    },
    recipients: [],
    template: false,
    refused: new Map()
  }
  if (world.latencyMs > 0) await pause(reply, world.latencyMs, world.wait)
  const { answer, fault } = await settle(world, call, duplicates)
  if (heldMs > 0) await pause(reply, heldMs, world.wait)
  if (fault === undefined) return finish(answer)
  if (fault.effect.kind === 'slow') {
    await pause(reply, fault.effect.ms, world.wait)
    return finish(answer)
  }
  if (['refuse', 'gateway', 'answer'].includes(fault.effect.kind)) return finish(answer)
  entry.status = playOnWire(reply, fault.effect, answer)
  return reply
}

function readQuery(raw: Record<string, unknown>): { query: Record<string, string>; duplicates: string[] } {
  const query: Record<string, string> = {}
  const duplicates: string[] = []
  for (const name in raw) {
    const value = raw[name]
    if (typeof value === 'string') query[name] = value
    else duplicates.push(name)
  }
  return { query, duplicates }
}

/** Checks, meets a fault, acts: what the caller is to be told, and how. */
async function settle(
  world: World,
  call: Call,
  duplicates: string[]
): Promise<{ answer: Answer; fault?: MagicRecipient }> {
  const { entry, operation } = call
  const standIn = standIns.get(operation.provider)
  let reached = false
  // what Maton says itself carries nothing of the provider's
  const signed = (answer: Answer): Answer => (reached && standIn?.sign?.(answer, call)) || answer
  try {
    checkConnection(call)
    reached = true
    checkForm(call, duplicates)
    const act = operation.prepare(call)
    const fault = world.faults.pick(call)
    if (fault !== undefined) entry.fault = fault.name
    const effect = fault?.effect
    if (effect?.kind === 'refuse') {
      const refused = standIn!.says[effect.as].answer(call, effect.retryAfterSeconds)
      return { answer: signed(refused), fault }
    }
    if (effect?.kind === 'gateway') return { answer: effect.answer, fault }
    if (effect?.kind === 'reset' && !effect.processed) return { answer: { status: 0 }, fault }
    const answer = await act()
    if (entry.kind !== 'send') entry.processed = entry.refused === undefined
    return { answer: effect?.kind === 'answer' ? effect.answer(signed(answer)) : signed(answer), fault }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.violation !== undefined) entry.violations.push(error.violation)
    return { answer: signed(error.answer) }
  } finally {
    if (call.recipients.length === 1) entry.to = call.recipients[0]
  }
}
