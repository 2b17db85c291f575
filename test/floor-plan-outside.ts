// The rooms where the house meets what is outside: HTTP, files that people keep, the document, the command line.

export interface Room {
  /** Files or folders of the room; the longest that fits a file is its room. */
  at: string
  /** What it may import at run time, beside its own folder. */
  may: string[]
  /** What it may name as a type only, beside that. */
  types?: string[]
  packages?: string[]
  /** Packages whose types it may name. */
  packageTypes?: string[]
}

export const outside: Room[] = [
  {
    // What was used, from counters alone.
    at: 'src/usage/',
    may: ['src/errors.ts', 'src/periodic.ts', 'src/store/', 'src/tables/', 'schemas/usage.ts'],
    types: ['schemas/', 'src/config.ts', 'src/keys/caller.ts'],
    packages: ['kysely'],
    packageTypes: ['pino']
  },
  {
    // Callers without a secret of ours: beside the keys, whose rights they have.
    at: 'src/identities/',
    may: ['src/errors.ts', 'src/ids.ts', 'src/ip.ts', 'src/keys/', 'src/store/', 'src/upstream/egress.ts'],
    types: ['schemas/'],
    packages: ['jose', 'kysely'],
    packageTypes: ['pino']
  },
  {
    // What /metrics tells beside its counters: figures that are looked up in the store.
    at: 'src/monitoring/',
    may: ['src/errors.ts', 'src/messages/', 'src/store/', 'src/version.ts'],
    types: ['schemas/', 'src/adapters/adapter.ts', 'src/channels/', 'src/metrics.ts'],
    packages: ['kysely']
  },
  {
    // What a request does as spans, for a collector; the SDK is loaded by whoever has one.
    at: 'src/tracing/',
    may: ['src/version.ts'],
    types: ['src/dispatch/', 'src/store/'],
    packages: [
      '@opentelemetry/api',
      '@opentelemetry/exporter-trace-otlp-http',
      '@opentelemetry/resources',
      '@opentelemetry/sdk-trace'
    ]
  },
  // Who is told of events: rows of what is to be delivered, and the one that posts them through the egress guard.
  {
    at: 'src/subscriptions/',
    may: ['src/errors.ts', 'src/events/', 'src/failpoints.ts', 'src/ids.ts', 'src/keys/'].concat(
      'src/periodic.ts',
      'src/store/',
      'src/upstream/egress.ts',
      'src/upstream/post.ts',
      'schemas/'
    ),
    types: ['src/metrics.ts', 'src/channels/', 'src/config.ts'],
    packages: ['kysely'],
    packageTypes: ['pino']
  },
  // Files that people keep lists in, in and out; what the columns mean is their readers' affair.
  {
    at: 'src/tables/',
    may: ['src/errors.ts', 'src/phone.ts'],
    packages: ['csv-parse', 'csv-stringify', 'sax', 'yauzl']
  },
  // Pure as well: what an address of the internet is.
  { at: 'src/ip.ts', may: [], packages: ['ipaddr.js'] },
  {
    at: 'src/http/',
    may: [
      'src/request-trace.ts',
      'schemas/',
      'src/errors.ts',
      'src/ip.ts',
      'src/keys/caller.ts',
      'src/phone.ts',
      'src/store/store.ts'
    ],
    types: ['src/metrics.ts'],
    packages: [
      '@fastify/multipart',
      '@fastify/under-pressure',
      '@sinclair/typebox',
      'ajv',
      'ajv-formats',
      'ipaddr.js',
      'yaml'
    ],
    packageTypes: ['fastify']
  },
  // Swagger UI is a server of its own; the types are of all that routes find on the application.
  {
    at: 'src/http/docs-ui.ts',
    may: ['src/http/documents.ts'],
    packages: ['@fastify/swagger', '@fastify/swagger-ui', 'fastify']
  },
  {
    at: 'src/http/fastify.ts',
    may: [],
    types: ['src/', 'schemas/'],
    packageTypes: ['@fastify/swagger', '@fastify/type-provider-typebox', 'fastify']
  },
  // The operator's page: a client of the API like any other, in this process; of the house it takes sessions' storage alone.
  {
    at: 'src/console/',
    may: ['src/http/documents.ts', 'src/keys/seal.ts', 'src/store/store.ts', 'schemas/events.ts'],
    types: ['schemas/', 'src/http/fastify.ts', 'src/http/console-door.ts'],
    packages: ['@fastify/multipart', '@fastify/view', 'eta', 'fastify']
  },
  // The document: what the routes describe, with what the registry knows, shared and named.
  {
    at: 'src/document/',
    may: ['schemas/', 'src/errors.ts'],
    types: ['src/adapters/adapter.ts'],
    packages: ['yaml']
  },
  // A client of the API, apart from the service: it knows nothing but its addresses.
  { at: 'src/cli/keys.ts', may: ['src/cli/', 'src/config.ts', 'schemas/'], packages: ['ajv', 'ajv-formats'] },
  // The keys of a server that is stopped, too: it opens the store as the server does.
  {
    at: 'src/cli/keys-access.ts',
    may: ['src/config.ts', 'src/keys/', 'src/logger.ts', 'src/start/pepper.ts', 'src/store/'],
    types: ['schemas/']
  },
  { at: 'src/cli/', may: [], packages: ['@clack/prompts'] },
  {
    at: 'src/sandbox/',
    may: [],
    // it tells webhooks by HTTP, as the providers do
    packages: ['@fastify/multipart', '@sinclair/typebox', 'ajv', 'csv-parse', 'fastify', 'undici']
  }
]
