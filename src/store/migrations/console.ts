import type { Migration } from './words.ts'

/** Sessions of the operator's page that were signed out before their time. */
export const consoleTables: readonly Migration[] = [
  {
    name: '045_console_ended',
    statements: ({ int, id, strict }) => [
      `create table console_ended (id ${id} primary key, until ${int} not null) ${strict}`
    ]
  }
]
