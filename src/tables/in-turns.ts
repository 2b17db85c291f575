import { setImmediate } from 'node:timers/promises'

/** A row costs some ten microseconds: after so many the others have a turn. */
const rowsPerTurn = 250

/** Splits rows into portions after each of which the event loop takes a turn for others. */
export async function* inTurns<T>(
  rows: AsyncIterable<readonly T[]> | Iterable<readonly T[]>
): AsyncGenerator<readonly T[]> {
  for await (const some of rows)
    for (let from = 0; from < some.length; from += rowsPerTurn) {
      yield some.slice(from, from + rowsPerTurn)
      await setImmediate()
    }
}
