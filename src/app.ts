import Fastify, { type FastifyBaseLogger, type FastifyHttpOptions, LogController, type RawServerDefault } from 'fastify'
import { metricsRoutes, routes, webhookRoutes } from '../routes/index.ts'
import { namedSchemas } from '../schemas/index.ts'
import { auth } from './http/auth.ts'
import { bodies } from './http/bodies.ts'
import { limitConnections } from './http/connections.ts'
import { consoleDoor } from './http/console-door.ts'
import { docs, type SandboxRecipients } from './http/docs.ts'
import type { App, AppParts } from './http/fastify.ts'
import { hygiene } from './http/hygiene.ts'
import { methodNotAllowed } from './http/methods.ts'
import { overload } from './http/overload.ts'
import { clientError, frameworkError, problems } from './http/problems.ts'
import { telemetry } from './http/telemetry.ts'
import { validation } from './http/validation.ts'
import { newId } from './ids.ts'
import { trusts } from './ip.ts'
import type { Store } from './store/store.ts'

export interface AppOptions {
  publicUrl?: string | undefined
  /** How many proxies stand before us, or where they are. */
  trustProxy?: number | readonly string[]
  /** No account: live keys send nothing. */
  sandboxMode?: boolean
  /** The names of the registered providers. */
  providers?: readonly string[]
  /** Most connections at a time; no limit unless given. */
  maxConnections?: number
  /** /metrics has a listener of its own. */
  metricsElsewhere?: boolean
  /** Swagger UI under /docs. */
  docs?: boolean
  /** What the page of the sandbox's recipients lists. */
  sandboxRecipients?: SandboxRecipients
  /** Opens the operator's page when somebody first asks for it; without it there is none. */
  console?: { store: Store; pepper: string }
  log: FastifyBaseLogger
  /** Called before the first route, for whoever wants to see them all: the maker of the document. */
  prepare?: (app: App) => Promise<void>
}

// docs/reliability.md 7.1: Fastify's own time-outs are off by default, and requestTimeout alone does not help.
const logController = new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' })

const serverOptions: FastifyHttpOptions<RawServerDefault> = {
  requestTimeout: 300_000,
  http: { headersTimeout: 5000, connectionsCheckingInterval: 1000 },
  keepAliveTimeout: 72_000,
  bodyLimit: 262_144,
  // The plugin for overload does it, with a problem.
  return503OnClosing: false,
  requestIdHeader: false,
  // The real limits stand in the schemas, so that too long is a 400 that names the field.
  routerOptions: { maxParamLength: 12_000, ignoreTrailingSlash: false },
  genReqId: raw => {
    const given = raw.headers['x-request-id']
    return typeof given === 'string' && /^[A-Za-z0-9._-]{1,128}$/.test(given) ? given : newId('req')
  }
}

/** A server with our own ids, errors and logging, and with what routes find on it; without any route or plugin. */
function bare(parts: AppParts, options: AppOptions): App {
  const typeBase = options.publicUrl ?? ''
  const app = Fastify({
    ...serverOptions,
    logController,
    // One logger for all requests: a child for each costs more than the one line that it would write.
    childLoggerFactory: logger => logger,
    loggerInstance: options.log,
    trustProxy: options.trustProxy === undefined || options.trustProxy === 0 ? false : trusts(options.trustProxy),
    frameworkErrors: frameworkError(typeBase) as never,
    clientErrorHandler: clientError as never
  }) as unknown as App
  app.decorate('publicUrl', typeBase)
  for (const [name, part] of Object.entries(parts)) app.decorate(name, part)
  app.setValidatorCompiler(validation(namedSchemas, options.providers ?? []))
  // Answers are built member by member by views, so JSON.stringify can add nothing to them, and the tests hold every one
  // of them against the document. A schema-driven serializer would run a validator for each `oneOf` instead.
  app.setSerializerCompiler(() => value => JSON.stringify(value))
  for (const schema of namedSchemas) app.addSchema(schema)
  return app
}

/** The application: plugins, then routes. It opens no port and reads no environment. */
export async function buildApp(parts: AppParts, options: AppOptions): Promise<App> {
  const app = bare(parts, options)
  await options.prepare?.(app)

  const addMissingMethods = methodNotAllowed(app)
  telemetry(app)
  hygiene(app)
  if (options.maxConnections !== undefined) limitConnections(app, options.maxConnections)
  problems(app)
  overload(app)
  // Before the keys are looked at: a stranger's slow body is watched too.
  bodies(app)
  auth(app, options.sandboxMode ?? false)
  const own = new Set(options.metricsElsewhere ? [metricsRoutes[0]] : [])
  for (const route of routes) if (!own.has(route)) app.register(async scope => route(scope as unknown as App))
  const { console: page } = options
  if (page)
    consoleDoor(app, async () =>
      (await import('./console/index.ts')).createConsole(app, { ...page, providers: options.providers ?? [] })
    )
  docs(app, new URL('../openapi.yaml', import.meta.url), options.docs ?? true, options.sandboxRecipients)
  app.register(async () => addMissingMethods())
  await app.ready()
  return app
}

/** Listeners beside the main one: what faces the internet on WEBHOOK_PORT, and what Prometheus asks on METRICS_PORT. Each has /livez too. */
const asides = { webhooks: webhookRoutes, metrics: metricsRoutes } as const

/** A listener with a few routes of its own, and nothing else. */
export async function buildAsideApp(which: keyof typeof asides, parts: AppParts, options: AppOptions): Promise<App> {
  const app = bare(parts, options)
  telemetry(app)
  hygiene(app)
  if (options.maxConnections !== undefined) limitConnections(app, options.maxConnections)
  problems(app)
  overload(app)
  bodies(app)
  for (const route of asides[which]) app.register(async scope => route(scope as unknown as App))
  await app.ready()
  return app
}
