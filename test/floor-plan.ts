import { globSync } from 'node:fs'

// HOUSE.md, "Floor plan (who may import whom)", as data; architecture.test.ts holds the imports that really stand in the
// files against it.

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

const adapter = {
  may: ['src/adapters/adapter.ts', 'src/adapters/meta-codes.ts', 'schemas/'],
  types: ['src/adapters/heard.ts'],
  packages: ['@sinclair/typebox']
}
export const rooms: Room[] = [
  { at: 'schemas/', may: [], packages: ['@sinclair/typebox'] },
  {
    // HTTP only. From the house it takes errors, page cursors, header parsing and the request's clock: pure functions all.
    at: 'routes/',
    may: ['schemas/', 'src/errors.ts', 'src/store/page.ts', 'src/delivery/idempotency.ts', 'src/plugins/telemetry.ts'],
    types: [
      'src/fastify.ts',
      'src/broadcasts/',
      'src/delivery/',
      'src/inbound/',
      'src/keys/',
      'src/channels.ts',
      'src/media/library.ts'
    ],
    packages: ['@sinclair/typebox'],
    packageTypes: ['fastify', '@fastify/multipart']
  },
  // The adapters' door; the four facts about the wire have their own file, which imports nothing.
  {
    at: 'src/adapters/adapter.ts',
    may: ['src/upstream/wire.ts', 'src/adapters/operations.ts'],
    types: ['schemas/', 'src/adapters/heard.ts'],
    packageTypes: ['@sinclair/typebox']
  },
  { at: 'src/adapters/meta-codes.ts', may: [], types: ['schemas/', 'src/adapters/adapter.ts'] },
  { at: 'src/adapters/heard.ts', may: [], types: ['schemas/'] },
  { at: 'src/adapters/operations.ts', may: [], types: ['schemas/', 'src/adapters/adapter.ts', 'src/upstream/wire.ts'] },
  { at: 'src/adapters/index.ts', may: ['src/adapters/'] },
  { at: 'src/adapters/matrix.ts', may: ['src/adapters/', 'schemas/'] },
  ...folders('src/adapters/*/').map(at => ({ at, ...adapter })),
  // The registry is handed in to all of these.
  {
    at: 'src/dispatch/',
    may: ['src/adapters/adapter.ts', 'src/errors.ts'],
    types: ['schemas/', 'src/metrics.ts', 'src/upstream/maton.ts'],
    packageTypes: ['pino']
  },
  {
    at: 'src/delivery/',
    may: ['src/adapters/adapter.ts', 'src/dispatch/', 'src/errors.ts', 'src/ids.ts', 'src/keys/caller.ts'].concat(
      'src/crash.ts',
      'src/store/',
      'schemas/'
    ),
    types: ['src/channels.ts', 'src/media/library.ts', 'src/metrics.ts', 'src/keys/seal.ts'],
    packages: ['canonicalize', 'kysely'],
    packageTypes: ['pino']
  },
  {
    at: 'src/inbound/',
    may: ['src/adapters/adapter.ts', 'src/errors.ts', 'src/ids.ts', 'src/keys/caller.ts', 'src/store/', 'schemas/'],
    types: ['src/channels.ts', 'src/delivery/', 'src/metrics.ts', 'src/upstream/egress.ts'],
    packages: ['kysely', 'standardwebhooks'],
    packageTypes: ['pino']
  },
  {
    at: 'src/broadcasts/',
    may: ['src/adapters/adapter.ts', 'src/dispatch/', 'src/errors.ts', 'src/ids.ts', 'src/keys/caller.ts'].concat(
      'src/crash.ts',
      'src/csv.ts',
      'src/store/',
      'src/delivery/',
      'schemas/'
    ),
    types: ['src/channels.ts', 'src/metrics.ts'],
    packages: ['canonicalize', 'csv-parse', 'kysely'],
    packageTypes: ['pino']
  },
  {
    at: 'src/contacts/',
    may: [
      'src/dispatch/',
      'src/errors.ts',
      'src/csv.ts',
      'src/cursor.ts',
      'src/ids.ts',
      'src/keys/',
      'src/store/'
    ].concat('src/delivery/', 'schemas/'),
    types: ['src/adapters/adapter.ts', 'src/channels.ts', 'src/media/remote.ts'],
    packages: ['ajv', 'kysely', 'csv-parse']
  },
  {
    at: 'src/media/',
    may: ['src/dispatch/', 'src/errors.ts', 'src/ids.ts', 'src/keys/caller.ts', 'src/store/', 'src/upstream/'],
    types: ['schemas/', 'src/adapters/adapter.ts'],
    packages: ['file-type']
  },
  {
    at: 'src/keys/',
    may: ['src/errors.ts', 'src/ids.ts', 'src/store/'],
    types: ['schemas/'],
    packages: ['ipaddr.js']
  },
  {
    at: 'src/store/',
    may: ['src/errors.ts', 'src/ids.ts'],
    types: ['schemas/', 'src/keys/caller.ts'],
    packages: ['kysely', 'pg'],
    packageTypes: ['pino']
  },
  { at: 'src/upstream/', may: [], packages: ['undici', 'ipaddr.js'] },
  { at: 'src/upstream/wire.ts', may: [] },
  {
    at: 'src/plugins/',
    may: ['schemas/', 'src/errors.ts', 'src/keys/caller.ts', 'src/store/store.ts', 'src/docs-ui.ts'],
    types: ['src/fastify.ts'],
    packages: ['@fastify/multipart', '@fastify/under-pressure', 'ipaddr.js', 'yaml'],
    packageTypes: ['fastify']
  },
  // A client of the API, apart from the service: it knows nothing but its addresses.
  { at: 'src/cli/', may: [], packages: ['@clack/prompts'] },
  {
    at: 'src/sandbox/',
    may: [],
    // it tells webhooks by HTTP, as the providers do
    packages: ['@fastify/multipart', '@sinclair/typebox', 'ajv', 'fastify', 'undici']
  },
  // The ground floor puts the rooms together; what it must not touch stands below. A new folder needs a row of its own.
  { at: 'src/*', may: ['src/', 'routes/', 'schemas/'], packages: ['*'] }
]

/** Who alone may import a thing. */
export const reserved: { what: string; by: string[] }[] = [
  { what: 'src/sandbox/', by: ['src/sandbox/', 'src/server.ts'] },
  { what: 'src/adapters/index.ts', by: ['src/server.ts', 'src/adapters/matrix.ts', 'src/openapi.ts'] },
  { what: 'routes/', by: ['routes/', 'src/app.ts'] },
  { what: 'undici', by: ['src/upstream/', 'src/sandbox/webhooks/'] },
  { what: 'pg', by: ['src/store/postgres.ts'] },
  { what: 'node:sqlite', by: ['src/store/sqlite.ts', 'src/store/backup.ts'] },
  {
    what: 'kysely',
    by: ['src/store/', 'src/delivery/', 'src/inbound/', 'src/broadcasts/', 'src/contacts/', 'src/channels.ts']
  },
  { what: 'prom-client', by: ['src/metrics.ts'] },
  { what: 'node:http', by: [] },
  { what: 'node:https', by: [] },
  { what: 'node:child_process', by: [] }
]

/** What may stand only in some files: a pattern, and where it may. */
export const words: { name: string; pattern: RegExp; only: string[] }[] = [
  { name: 'the global fetch', pattern: /(?<![.\w])fetch\(|globalThis\.fetch/, only: ['src/cli/'] },
  {
    name: 'the environment',
    pattern: /\bprocess\s*(\?\.|\.)\s*env\b|process\[|from 'node:process'/,
    only: ['src/server.ts', 'src/backup.ts', 'src/sandbox/main.ts', 'src/cli/']
  },
  {
    name: 'process.exit',
    pattern: /\bprocess\.exit\b/,
    only: ['src/server.ts', 'src/openapi.ts', 'src/sandbox/main.ts']
  },
  // deferred: two of them can both read and then deadlock on the write; IMMEDIATE or EXCLUSIVE in SQLite
  {
    name: 'a plain BEGIN',
    pattern: /['"`]\s*BEGIN\s*(TRANSACTION|DEFERRED)?\s*[;'"`]/i,
    only: ['src/store/postgres.ts']
  },
  {
    name: 'an import that cannot be read here',
    pattern: /(?<=await\s|=>?\s|\()import\(\s*[^'\s]|\bcreateRequire\b/,
    only: []
  }
]

function folders(pattern: string): string[] {
  return globSync(pattern).map(at => `${at.replaceAll('\\', '/').replace(/\/$/, '')}/`)
}
