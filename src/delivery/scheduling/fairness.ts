import type { Head } from '../../messages/queue.ts'

/** Who has had a turn, in this process. Every replica goes round by itself; together they go round too. */
export interface Served {
  /** By lane and service, and by line: the number of its last turn. */
  last: Map<string, number>
  turn: number
  /** Turns in a row that no bulk message had. */
  sinceBulk: number
}

/** One that may have the next turn: a call that waits here, or a line of messages. */
export interface Contender<W, H = Head> {
  lane: number
  service: string
  waiter?: W
  head?: H
}

/** Of so many turns, one goes to bulk messages if any wait (docs/reliability.md P19). */
const bulkEvery = 10

/** More is not remembered: who is forgotten comes first. */
const mostRemembered = 10_000

/** The calls that wait here are a line of their service too. */
const calls = (lane: number, service: string): string => `${lane}/${service}/calls`

/** Somebody had a turn. */
export function had(served: Served, lane: number, service: string, line = calls(lane, service)): void {
  served.turn++
  if (served.last.size > mostRemembered) served.last.clear()
  served.last.set(`${lane}/${service}`, served.turn)
  served.last.set(line, served.turn)
}

export const bulkIsNext = ({ sinceBulk }: Served): boolean => sinceBulk >= bulkEvery - 1

/**
 * The order in which contenders are asked: what somebody waits for before bulk, bulk at least every tenth turn; among
 * equals the service, and then the line of it, that has gone longest without one.
 */
export function inTurn<
  W extends { lane: number; service: string },
  H extends { lane: number; service: string; queue: string }
>(waiters: W[], lines: H[], served: Served): Contender<W, H>[] {
  const foremost = new Map<string, Contender<W, H>>()
  for (const waiter of waiters) {
    const key = `${waiter.lane}/${waiter.service}`
    if (!foremost.has(key)) foremost.set(key, { lane: waiter.lane, service: waiter.service, waiter })
  }
  const contenders = [...foremost.values(), ...lines.map(head => ({ lane: head.lane, service: head.service, head }))]
  const since = ({ lane, service }: Contender<W, H>): number => served.last.get(`${lane}/${service}`) ?? 0
  const lineSince = ({ head, lane, service }: Contender<W, H>): number =>
    served.last.get(head?.queue ?? calls(lane, service)) ?? 0
  const bulkFirst = bulkIsNext(served)
  return contenders.sort(
    (a, b) => (bulkFirst ? b.lane - a.lane : a.lane - b.lane) || since(a) - since(b) || lineSince(a) - lineSince(b)
  )
}
