import type { Migration } from './words.ts'

// What is heard from the providers, and where they call.

export const hearing: readonly Migration[] = [
  {
    name: '052_registered_address',
    statements: () => ['alter table webhook_registrations add column url_digest text']
  }
]
