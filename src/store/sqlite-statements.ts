import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { CompiledQuery } from 'kysely'
import { type Result, storable } from './store.ts'

/** One row, from the values of its columns. */
type Shape = (values: unknown[]) => unknown

/** Of two columns with one name the last one counts. */
const shapeOf = (columns: string[]): Shape =>
  new Function('values', `return {${columns.map((name, i) => `${JSON.stringify(name)}:values[${i}]`)}}`) as Shape

const definition = /^\s*(?:create|alter|drop)\b/i

interface Prepared {
  statement: StatementSync
  returns: boolean
  defines: boolean
  /** Known once it has run, with the number of its columns. */
  shape?: Shape
  width: number
}

export interface Statements {
  run: <R>(query: CompiledQuery<R>) => Result<R>
  /** After the tables have become others, on whichever connection: which columns a statement returns is asked anew. */
  forget: () => void
}

/**
 * One connection with its prepared statements, and rows that V8 knows the shape of: those of `node:sqlite` are dictionaries, slow to make and
 * slow to read (docs/decisions/0110).
 * @param defined called when the tables have become others
 */
export function statements(db: DatabaseSync, defined: () => void = () => {}): Statements {
  const cache = new Map<string, Prepared>()
  const prepare = (text: string): Prepared => {
    const statement = db.prepare(text)
    const entry = { statement, returns: statement.columns().length > 0, defines: definition.test(text), width: 0 }
    statement.setReturnArrays(entry.returns)
    // Filters make new texts; a bound keeps a hostile mix of filters from growing the cache.
    if (cache.size >= 500) cache.delete(cache.keys().next().value as string)
    cache.set(text, entry)
    return entry
  }
  return {
    run: <R>(query: CompiledQuery<R>): Result<R> => {
      const entry = cache.get(query.sql) ?? prepare(query.sql)
      const parameters = query.parameters.map(storable) as SQLInputValue[]
      if (!entry.returns) {
        const { changes } = entry.statement.run(...parameters)
        if (entry.defines) defined()
        return { rows: [], changes: Number(changes) }
      }
      const values = entry.statement.all(...parameters) as unknown[] as unknown[][]
      const width = values[0]?.length ?? entry.width
      // Not before it has run: until then a connection may believe in tables as they were. Another process may change them.
      if (!entry.shape || width !== entry.width) {
        const columns = entry.statement.columns().map(({ name }) => name)
        entry.shape = shapeOf(columns)
        entry.width = columns.length
      }
      const rows = values.map(entry.shape) as R[]
      return { rows, changes: rows.length }
    },
    forget: () => cache.clear()
  }
}
