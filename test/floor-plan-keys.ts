// What only some rooms may do: import a thing, call by a name, read the environment. architecture.test.ts holds the house against it.

/** What every room but the adapters, the sandbox and schemas may import: they run nothing of ours. */
export const commons = [
  'src/own-work.ts',
  'src/request-trace.ts',
  'src/sse.ts',
  'src/unordered.ts',
  'src/delivery/retry-policy.ts'
]

/** Who alone may import a thing. */
export const reserved: { what: string; by: string[] }[] = [
  { what: 'src/sandbox/', by: ['src/sandbox/', 'src/server.ts'] },
  { what: 'src/adapters/index.ts', by: ['src/server.ts', 'src/adapters/matrix.ts', 'src/openapi.ts'] },
  { what: 'routes/', by: ['routes/', 'src/app.ts'] },
  // Nobody sends but through the worker, which the container starts.
  { what: 'src/delivery/sending/', by: ['src/delivery/sending/', 'src/delivery/index.ts', 'src/container.ts'] },
  {
    what: 'src/delivery/scheduling/',
    by: ['src/delivery/scheduling/', 'src/delivery/sending/', 'src/delivery/index.ts', 'src/container.ts']
  },
  { what: 'src/delivery/unknown/', by: ['src/delivery/unknown/', 'src/container.ts'] },
  { what: 'undici', by: ['src/upstream/', 'src/sandbox/webhooks/'] },
  { what: 'pg', by: ['src/store/postgres.ts'] },
  {
    what: 'node:sqlite',
    by: ['src/store/sqlite.ts', 'src/store/checkpoint-worker.js', 'src/store/backup.ts', 'src/store/audit-reader.ts']
  },
  {
    what: 'kysely',
    by: [
      'src/store/',
      'src/messages/',
      'src/delivery/',
      'src/inbound/',
      'src/events/',
      'src/broadcasts/',
      'src/contacts/',
      'src/suppressions/',
      'src/channels/',
      'src/keys/',
      'src/identities/',
      'src/usage/',
      'src/monitoring/',
      'src/overview/',
      'src/subscriptions/'
    ]
  },
  { what: 'prom-client', by: ['src/metrics.ts'] },
  { what: 'node:http', by: [] },
  { what: 'node:https', by: [] },
  { what: 'node:child_process', by: ['src/store/dump.ts'] }
]

/** What may stand only in some files: a pattern, and where it may. */
export const words: { name: string; pattern: RegExp; only: string[] }[] = [
  { name: 'the global fetch', pattern: /(?<![.\w])fetch\(|globalThis\.fetch/, only: ['src/cli/'] },
  {
    name: 'the environment',
    pattern: /\bprocess\s*(\?\.|\.)\s*env\b|process\[|from 'node:process'/,
    only: ['src/server.ts', 'src/backup.ts', 'src/audit-verify.ts', 'src/sandbox/main.ts', 'src/cli/']
  },
  {
    name: 'a message sent',
    pattern: /\.call\(\s*'send|\bqueries\.dispatch/,
    only: ['src/delivery/sending/']
  },
  { name: 'a waiting message claimed', pattern: /\bqueue\.claim\(/, only: ['src/delivery/scheduling/'] },
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
  // which providers there are, the registries know; examples may show one
  // it would tell by its time where two secrets begin to differ (docs/reliability.md T4)
  {
    name: 'a comparison of secrets',
    pattern: /\b(hash|hashed|adminHash|secret|signature|token)\s*[!=]==?\s*(?!undefined|null|'|\d)[a-zA-Z]/,
    only: ['src/sandbox/']
  },
  {
    name: 'a comparison of bytes',
    pattern: /\.equals\(|\bBuffer\.compare\(/,
    only: ['src/sandbox/', 'src/upstream/passthrough.ts']
  },
  {
    name: 'the name of a provider',
    pattern: /(?<!demo-)\bwati\b|whatsapp-cloud/i,
    only: [
      'src/adapters/',
      'src/sandbox/',
      'schemas/channels.ts',
      'schemas/connections.ts',
      'schemas/event-examples.ts'
    ]
  },
  {
    name: 'an import that cannot be read here',
    pattern: /(?<=await\s|=>?\s|\()import\(\s*[^'\s]|\bcreateRequire\b/,
    only: []
  }
]
