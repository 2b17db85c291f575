import type { Call } from './call.ts'
import { type MagicRecipient, magicRecipients } from './faults.ts'

/** A fault ordered by a test or a demo, for the next `times` calls that match. */
export interface ForcedFault {
  /** only calls to this number */
  recipient?: string
  /** only this operation, e.g. `cloud.listTemplates`, or a provider's all, e.g. `wati.*` */
  operation?: string
  /** a name of the fault table */
  fault: string
  /** how many calls meet it; default 1 */
  times?: number
}

export interface Faults {
  /** @throws RangeError for a name that the table does not have */
  force(fault: ForcedFault): void
  pending(): Required<Pick<ForcedFault, 'fault' | 'times'>>[]
  clear(): void
  /** the fault that this call meets, if any; counts as one try */
  pick(call: Call): MagicRecipient | undefined
}

const byNumber = new Map(magicRecipients.map(row => [row.number, row]))
const byName = new Map(magicRecipients.map(row => [row.name, row]))

/** Decides which fault a call meets: what was ordered first, then the magic numbers. */
export function createFaults(): Faults {
  const orders: (ForcedFault & { times: number })[] = []
  const throttledOnce = new Set<string>()

  function matches(order: ForcedFault, call: Call): boolean {
    if (order.recipient !== undefined && !call.recipients.includes(order.recipient)) return false
    const { operation = '*' } = order
    return (
      operation === '*' ||
      operation === call.name ||
      (operation.endsWith('.*') && call.name.startsWith(operation.slice(0, -1)))
    )
  }

  function ordered(call: Call): MagicRecipient | undefined {
    const at = orders.findIndex(order => matches(order, call))
    const order = orders[at]
    if (order === undefined) return undefined
    order.times -= 1
    if (order.times <= 0) orders.splice(at, 1)
    return byName.get(order.fault)
  }

  function strikes(row: MagicRecipient, call: Call): boolean {
    if (row.sparesTemplates && call.template) return false
    if (!row.firstTryOnly) return true
    const key = `${call.operation.provider} ${row.number}`
    if (throttledOnce.delete(key)) return false
    throttledOnce.add(key)
    return true
  }

  return {
    force(fault) {
      if (!byName.has(fault.fault)) throw new RangeError(`no such fault: ${fault.fault}`)
      orders.push({ ...fault, times: fault.times ?? 1 })
    },
    pending: () => orders.map(order => ({ ...order })),
    clear() {
      orders.length = 0
      throttledOnce.clear()
    },
    pick(call) {
      if (orders.length > 0) {
        const row = ordered(call)
        if (row !== undefined) return row
      }
      const bulk = call.operation.shape === 'bulk' || call.operation.shape === 'bulkV2'
      for (const number of call.recipients) {
        const row = byNumber.get(number)
        if (row === undefined || !strikes(row, call)) continue
        const { effect } = row
        if (bulk && effect.kind === 'refuse' && effect.one) {
          // the call as a whole goes through; only this receiver is turned down
          call.refused.set(number, { valid: effect.one.badNumber !== true, text: effect.one.text ?? '' })
          continue
        }
        return row
      }
      return undefined
    }
  }
}
