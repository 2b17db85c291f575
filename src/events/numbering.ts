import { CompiledQuery } from 'kysely'
import { all, type Store, type Unit } from '../store/store.ts'

/** Heard by every process once events have got their places. */
export const newsWord = 'events'
/** Events in one commit. */
const most = 500

/** One process at a time, until its commit: what it has numbered is seen by the next before that one looks. */
const lock = CompiledQuery.raw('select pg_advisory_xact_lock(7305553)')
/**
 * Numbers what can be seen and has no place yet, in the order in which it was written. A statement of its own, so that
 * it sees what was committed while the lock was waited for.
 */
const number = CompiledQuery.raw(`
  with due as (
    select entry, row_number() over (order by entry) as n
    from (select entry from events where position is null order by entry limit ${most}) as unnumbered
  ), last as (
    select greatest(coalesce((select max(position) from events), 0), (extract(epoch from clock_timestamp()) * 1000000)::bigint) as at
  )
  update events set position = last.at + due.n from due, last where events.entry = due.entry returning events.entry`)
const unnumbered = CompiledQuery.raw('select 1 as one from events where position is null limit 1')

/**
 * Gives events their places on PostgreSQL. A number that is taken while a transaction runs says nothing of when it
 * commits: a reader who has come past it would never see a late one. So events are written without a place, and get it
 * here, once they are committed; whoever reads on from a place has missed nothing before it.
 * @returns how many got one
 */
export async function numberEvents(store: Store): Promise<number> {
  let count = 0
  for (let round = most; round === most; count += round) {
    if ((await store.read(unnumbered)).length === 0) break
    round = await store.write(function* (): Unit<number> {
      yield lock
      const { length } = yield* all(number)
      if (length > 0) yield store.notifications!.publish(newsWord)
      return length
    })
  }
  return count
}
