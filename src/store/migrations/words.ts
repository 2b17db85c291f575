import type { Store } from '../store.ts'

/** The few words that the two databases spell differently. */
export interface Words {
  dialect: Store['dialect']
  int: string
  /** Text that is ordered by its bytes, as cursors need it and SQLite does anyway. */
  id: string
  blob: string
  /** After a table's closing bracket: SQLite checks types only in STRICT tables. */
  strict: string
  /** The ending of a table whose primary key is its order. */
  clustered: string
}
export const words: Record<Store['dialect'], Words> = {
  sqlite: {
    dialect: 'sqlite',
    int: 'integer',
    id: 'text',
    blob: 'blob',
    strict: 'strict',
    clustered: 'strict, without rowid'
  },
  postgres: { dialect: 'postgres', int: 'bigint', id: 'text collate "C"', blob: 'bytea', strict: '', clustered: '' }
}

export interface Migration {
  name: string
  statements: (words: Words) => string[]
}
