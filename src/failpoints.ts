import { subscribe } from 'node:diagnostics_channel'

// Where the tests let a process die: the steps between which a message can be when its machine is lost.

/** The steps, in the order in which a message comes by (docs/reliability.md 9). */
export const failpoints = [
  'after_insert',
  'after_claim',
  'after_slot',
  'after_dispatch_commit',
  'after_write',
  'after_response',
  'before_result_commit',
  'after_result_commit'
] as const
/** The steps of a webhook: kept and not answered yet, taken in hand to be read, had its effects, and these committed. */
export const webhookFailpoints = ['webhook_kept', 'webhook_in_hand', 'webhook_effects', 'webhook_committed'] as const
/** The steps of an event's delivery: taken in hand, answered by the receiver, and written down. */
export const deliveryFailpoints = ['delivery_claimed', 'delivery_answered', 'delivery_recorded'] as const
/** The step of a broadcast: all of it is kept, and its answer is not kept for its Idempotency-Key yet. */
export const broadcastFailpoints = ['broadcast_kept'] as const
export type Failpoint = (typeof failpoints)[number]
type AnyFailpoint =
  | Failpoint
  | (typeof webhookFailpoints)[number]
  | (typeof deliveryFailpoints)[number]
  | (typeof broadcastFailpoints)[number]
const known: readonly string[] = [...failpoints, ...webhookFailpoints, ...deliveryFailpoints, ...broadcastFailpoints]

let armed: { name: string; left: number } | undefined

/**
 * Says where this process is to die: the server does once, at its start, and only under NODE_ENV=test.
 * @param at `name`, or `name:n` for the n-th time that it comes by
 */
export function armFailpoint(at: string): void {
  const [name, nth = '1'] = at.split(':')
  if (!known.includes(name!) || !/^[1-9]\d{0,5}$/.test(nth))
    throw new Error(`CRASH_AT must be name or name:n, of ${known.join(', ')}`)
  armed = { name: name!, left: Number(nth) }
  // Only the client of the wire knows when the last byte is out, and it says so here; what reads is of no interest.
  if (name === 'after_write')
    subscribe('undici:request:bodySent', message => {
      if ((message as { request: { method: string } }).request.method !== 'GET') failpoint('after_write')
    })
}

/** Kills the own process at once, if that was asked for here; where it was not, it costs one comparison. */
export function failpoint(name: AnyFailpoint): void {
  if (armed === undefined || armed.name !== name) return
  armed.left--
  if (armed.left === 0) process.kill(process.pid, 'SIGKILL')
}
