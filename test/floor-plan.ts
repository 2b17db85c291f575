import { globSync } from 'node:fs'
import { outside, type Room } from './floor-plan-outside.ts'

// docs/architecture.md floor-plan, as data; architecture.test.ts holds the imports that really stand in the
// files against it.

export type { Room }

const adapter = {
  may: [
    'src/adapters/adapter.ts',
    ...['heard-parts', 'meta-codes', 'parsed-json', 'template-parts'].map(name => `src/adapters/${name}.ts`),
    'src/phone.ts',
    'schemas/'
  ],
  types: ['src/adapters/heard.ts'],
  packages: ['@sinclair/typebox']
}
export const rooms: Room[] = [
  { at: 'schemas/', may: [], packages: ['@sinclair/typebox'] },
  {
    // HTTP only. From the house it takes errors, page cursors, header parsing and the request's clock: pure functions all.
    at: 'routes/',
    may: [
      'schemas/',
      'src/errors.ts',
      'src/store/page.ts',
      'src/delivery/intake/idempotency.ts',
      'src/tables/charset.ts'
    ],
    types: [
      'src/http/fastify.ts',
      'src/broadcasts/',
      'src/delivery/',
      'src/inbound/',
      'src/keys/',
      'src/channels/',
      'src/media/library.ts',
      'src/subscriptions/'
    ],
    packages: ['@sinclair/typebox'],
    packageTypes: ['fastify', '@fastify/multipart']
  },
  // Pure: what a number is, for every entrance.
  { at: 'src/phone.ts', may: ['src/errors.ts'] },
  // The adapters' door; the four facts about the wire have their own file, which imports nothing.
  {
    at: 'src/adapters/adapter.ts',
    may: ['src/upstream/wire.ts', 'src/adapters/operations.ts'],
    types: ['schemas/', 'src/adapters/heard.ts', 'src/phone.ts'],
    packageTypes: ['@sinclair/typebox']
  },
  { at: 'src/adapters/meta-codes.ts', may: [], types: ['schemas/', 'src/adapters/adapter.ts'] },
  ...['heard-parts', 'parsed-json', 'template-parts'].map(name => ({ at: `src/adapters/${name}.ts`, may: [] })),
  { at: 'src/adapters/heard.ts', may: [], types: ['schemas/'] },
  { at: 'src/adapters/operations.ts', may: [], types: ['schemas/', 'src/adapters/adapter.ts', 'src/upstream/wire.ts'] },
  { at: 'src/adapters/index.ts', may: ['src/adapters/'] },
  { at: 'src/adapters/all.ts', may: ['src/adapters/'] },
  { at: 'src/adapters/matrix.ts', may: ['src/adapters/', 'schemas/'] },
  ...folders('src/adapters/*/').map(at => ({ at, ...adapter })),
  // The registry is handed in to all of these.
  {
    at: 'src/dispatch/',
    may: ['src/adapters/adapter.ts', 'src/errors.ts'],
    types: ['schemas/', 'src/metrics.ts', 'src/upstream/maton.ts'],
    packageTypes: ['pino']
  },
  // The provider's own API in bytes: held up by the blocks of messages, and written into the audit log.
  {
    at: 'src/dispatch/native.ts',
    may: ['src/dispatch/', 'src/adapters/adapter.ts', 'src/errors.ts', 'src/phone.ts'].concat(
      'src/messages/blocks.ts',
      'src/messages/suppressed.ts',
      'src/store/'
    ),
    types: ['schemas/', 'src/channels/', 'src/keys/caller.ts', 'src/metrics.ts', 'src/upstream/passthrough.ts'],
    packageTypes: ['pino']
  },
  {
    at: 'src/channels/',
    may: [
      'src/request-trace.ts',
      'src/adapters/adapter.ts',
      'src/dispatch/',
      'src/errors.ts',
      'src/ids.ts',
      'src/keys/',
      'src/messages/blocks.ts',
      'src/quiet-hours/window.ts'
    ].concat('src/store/', 'schemas/'),
    types: ['src/delivery/scheduling/', 'src/metrics.ts', 'src/upstream/passthrough.ts'],
    packages: ['kysely', 'ajv', 'yaml'],
    packageTypes: ['pino', '@sinclair/typebox']
  },
  {
    at: 'src/templates/',
    may: ['src/dispatch/', 'src/errors.ts', 'src/periodic.ts', 'schemas/'],
    types: ['src/adapters/adapter.ts', 'src/channels/', 'src/keys/caller.ts'],
    packageTypes: ['pino']
  },
  // The record: rows, what is read of them, and what stops them. It knows no HTTP and no provider.
  {
    at: 'src/messages/',
    may: ['src/errors.ts', 'src/ids.ts', 'src/keys/caller.ts', 'src/store/', 'schemas/', 'src/phone.ts'],
    types: ['src/dispatch/provider-client.ts'],
    packages: ['kysely'],
    packageTypes: ['pino']
  },
  { at: 'src/delivery/retry-policy.ts', may: [], types: ['src/adapters/adapter.ts'] },
  // The four rooms of delivery. Intake makes rows and never sends; scheduling gives permits and never reads content; sending
  // alone calls the provider; unknown alone changes what nobody knows.
  {
    at: 'src/delivery/intake/',
    may: [
      'src/request-trace.ts',
      'src/messages/',
      'src/templates/',
      'src/adapters/adapter.ts',
      'src/errors.ts',
      'src/ids.ts',
      'src/keys/caller.ts'
    ].concat('src/failpoints.ts', 'src/phone.ts', 'src/store/', 'schemas/', 'src/media/check.ts', 'src/media/names.ts'),
    types: ['src/dispatch/', 'src/channels/', 'src/delivery/', 'src/media/library.ts', 'src/keys/seal.ts'],
    packages: ['canonicalize', 'kysely'],
    packageTypes: ['pino']
  },
  {
    at: 'src/delivery/scheduling/',
    may: ['src/messages/', 'src/dispatch/', 'src/errors.ts', 'src/store/'],
    types: ['schemas/', 'src/adapters/adapter.ts', 'src/channels/'],
    packages: ['kysely'],
    packageTypes: ['pino']
  },
  {
    at: 'src/delivery/sending/',
    may: [
      'src/delivery/scheduling/',
      'src/messages/',
      'src/dispatch/',
      'src/errors.ts',
      'src/failpoints.ts',
      'src/periodic.ts',
      'src/store/'
    ],
    types: ['schemas/', 'src/adapters/adapter.ts', 'src/channels/', 'src/delivery/intake/', 'src/metrics.ts'],
    packageTypes: ['pino']
  },
  {
    at: 'src/delivery/unknown/',
    may: [
      'src/delivery/intake/',
      'src/messages/',
      'src/templates/',
      'src/dispatch/',
      'src/errors.ts',
      'src/ids.ts'
    ].concat('src/keys/caller.ts', 'src/periodic.ts', 'src/phone.ts', 'src/store/', 'schemas/'),
    types: ['src/adapters/adapter.ts', 'src/channels/'],
    packages: ['kysely'],
    packageTypes: ['pino']
  },
  {
    at: 'src/delivery/index.ts',
    may: ['src/delivery/'],
    types: ['src/messages/', 'src/dispatch/', 'src/channels/', 'src/keys/', 'src/metrics.ts', 'src/store/'],
    packageTypes: ['pino']
  },
  {
    at: 'src/inbound/',
    may: [
      'src/messages/',
      'src/adapters/adapter.ts',
      'src/dispatch/',
      'src/errors.ts',
      'src/failpoints.ts',
      'src/ids.ts',
      'src/keys/caller.ts'
    ].concat('src/periodic.ts', 'src/phone.ts', 'src/store/', 'schemas/'),
    types: ['src/channels/', 'src/delivery/', 'src/metrics.ts', 'src/upstream/egress.ts'],
    packages: ['kysely', 'standardwebhooks'],
    packageTypes: ['pino']
  },
  {
    at: 'src/broadcasts/',
    may: ['src/adapters/adapter.ts', 'src/dispatch/', 'src/errors.ts', 'src/ids.ts', 'src/keys/caller.ts'].concat(
      'src/failpoints.ts',
      'src/periodic.ts',
      'src/phone.ts',
      'src/tables/',
      'src/store/',
      'src/messages/',
      'src/delivery/intake/',
      'src/quiet-hours/',
      'schemas/'
    ),
    types: ['src/channels/', 'src/limits/', 'src/metrics.ts'],
    packages: ['canonicalize', 'kysely'],
    packageTypes: ['pino']
  },
  // Reads what has changed: the rows of the record, and nothing of how they came to be so.
  {
    at: 'src/events/',
    may: ['src/errors.ts', 'src/keys/caller.ts', 'src/messages/', 'src/periodic.ts', 'src/store/', 'schemas/'],
    packages: ['kysely'],
    packageTypes: ['pino']
  },
  // What an operator asks first, from the store alone.
  {
    at: 'src/overview/',
    may: ['src/messages/blocks.ts', 'src/store/', 'schemas/'],
    types: ['src/channels/', 'src/delivery/scheduling/', 'src/keys/caller.ts'],
    packages: ['kysely']
  },
  {
    at: 'src/contacts/',
    may: [
      'src/dispatch/',
      'src/errors.ts',
      'src/ids.ts',
      'src/keys/',
      'src/phone.ts',
      'src/store/',
      'src/tables/'
    ].concat('src/messages/', 'schemas/'),
    types: ['src/adapters/adapter.ts', 'src/channels/', 'src/media/remote.ts'],
    packages: ['ajv', 'kysely']
  },
  // Hours in which broadcasts go out: pure but for the runtime's copy of the time zones and what is known of numbers.
  {
    at: 'src/quiet-hours/',
    may: ['src/phone.ts', 'schemas/'],
    packages: ['libphonenumber-js'],
    packageTypes: ['pino']
  },
  {
    // Who must not be messaged. What stops a message stands in the record, and takes nothing from here.
    at: 'src/suppressions/',
    may: [
      'src/errors.ts',
      'src/ids.ts',
      'src/keys/',
      'src/phone.ts',
      'src/store/',
      'src/tables/',
      'src/messages/'
    ].concat('schemas/'),
    types: ['src/adapters/heard.ts', 'src/channels/', 'src/dispatch/provider-client.ts', 'src/inbound/'],
    packages: ['kysely']
  },
  {
    at: 'src/media/',
    may: ['src/dispatch/', 'src/errors.ts', 'src/ids.ts', 'src/keys/caller.ts', 'src/store/', 'src/upstream/'],
    types: ['schemas/', 'src/adapters/adapter.ts'],
    packages: ['file-type'],
    packageTypes: ['kysely']
  },
  {
    at: 'src/keys/',
    may: ['src/errors.ts', 'src/ids.ts', 'src/ip.ts', 'src/limits/days.ts', 'src/phone.ts', 'src/store/'],
    types: ['schemas/', 'src/limits/'],
    packages: ['ipaddr.js', 'kysely']
  },
  {
    // How much a caller may do, whoever it is; for all replicas.
    at: 'src/limits/',
    may: ['src/errors.ts', 'src/periodic.ts', 'src/store/'],
    types: ['src/keys/caller.ts'],
    packageTypes: ['pino']
  },
  {
    // What a process does between its settings and its first request.
    at: 'src/start/',
    may: ['src/channels/', 'src/errors.ts', 'src/keys/', 'src/periodic.ts', 'src/store/'],
    types: ['schemas/', 'src/adapters/adapter.ts', 'src/config.ts', 'src/dispatch/', 'src/http/fastify.ts'],
    packageTypes: ['pino']
  },
  {
    at: 'src/store/',
    may: ['src/errors.ts', 'src/ids.ts', 'src/periodic.ts'],
    types: ['schemas/', 'src/keys/caller.ts'],
    packages: ['kysely', 'pg'],
    packageTypes: ['pino']
  },
  { at: 'src/upstream/', may: [], packages: ['undici', 'ipaddr.js'] },
  {
    at: 'src/upstream/upstreams.ts',
    may: ['src/upstream/'],
    types: ['schemas/common.ts', 'src/config.ts']
  },
  { at: 'src/upstream/wire.ts', may: [] },
  ...outside,
  // The ground floor puts the rooms together; what it must not touch stands below. A new folder needs a row of its own.
  { at: 'src/*', may: ['src/', 'routes/', 'schemas/'], packages: ['*'] }
]

function folders(pattern: string): string[] {
  return globSync(pattern).map(at => `${at.replaceAll('\\', '/').replace(/\/$/, '')}/`)
}
