import type { Migration } from './words.ts'

// What a person's messages are found by, on whichever channel: a list of them is asked for without one as well.

export const people: readonly Migration[] = [
  {
    name: '044_messages_by_person',
    statements: () => [
      'drop index messages_contact',
      'create index messages_person on messages (contact, id)',
      'drop index messages_user',
      'create index messages_user on messages (user_id, id) where user_id is not null'
    ]
  }
]
