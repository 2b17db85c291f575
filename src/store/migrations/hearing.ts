import type { Migration } from './words.ts'

// What is heard from the providers, and where they call.

export const hearing: readonly Migration[] = [
  {
    name: '052_registered_address',
    statements: () => ['alter table webhook_registrations add column url_digest text']
  },
  {
    name: '053_told_names',
    statements: ({ int }) => [
      `alter table identities add column told_at ${int} not null default 0`,
      'update identities set told_at = created_at'
    ]
  }
]
