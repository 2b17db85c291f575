import type { Permit } from '../../dispatch/admission.ts'
import type { MessageRow } from '../../store/schema.ts'

/** The place of a message in hand among those to the same person: it leaves after the ones that were taken before it. */
export interface Place {
  /**
   * Waits until whoever is before it has gone, or hangs.
   * @param slot its own: whoever is before it and will leave in an earlier one is not waited for
   * @returns false: one before it stands in line again, and so must this one
   */
  reached: (slot?: Permit) => Promise<boolean>
  /** Tells, right before the write, whether it may leave now. With true it has left. */
  leave: () => boolean
  /** Has those after it go back into line as well: it does, and would be taken after them. */
  back: () => void
  /** Gives the place up: nobody waits for it any more. */
  end: () => void
}

export interface Order {
  /** The place of a message that was just claimed. */
  take: (row: MessageRow) => Place
}

export interface OrderParts {
  /** Resolves when one that has not gone by now is taken to hang. */
  patience: () => Promise<unknown>
  /** Hears of each that hangs and is passed. */
  passed: (row: MessageRow) => void
}

interface Standing {
  row: MessageRow
  /** The slot in which it will leave. */
  slot?: Permit
  /** It is on its way back into line. */
  back: boolean
  gone: PromiseWithResolvers<void>
}

/** Whether a message is claimed ahead of another. */
const precedes = (one: MessageRow, other: MessageRow): boolean =>
  one.run_at < other.run_at || (one.run_at === other.run_at && one.id < other.id)

/** The ones that one must not pass. */
function* before(line: Set<Standing>, mine: Standing): Generator<Standing> {
  for (const other of line) {
    // One that was passed waits for nobody.
    if (other === mine || !line.has(mine)) return
    if (!other.back) yield other
  }
}

/** Keeps the messages to one person that are in hand of this process in the order in which they were taken. */
export function createOrder({ patience, passed }: OrderParts): Order {
  /** By mode, channel and person: those that have not gone, in the order in which they were taken. */
  const lines = new Map<string, Set<Standing>>()

  return {
    take: row => {
      const key = `${row.mode}/${row.channel_id}/${row.contact ?? row.user_id}`
      const line = lines.get(key) ?? new Set()
      lines.set(key, line)
      // It may have been claimed while those before it were on their way back.
      const back = [...line].some(other => other.back && precedes(other.row, row))
      const mine: Standing = { row, back, gone: Promise.withResolvers() }
      line.add(mine)

      const go = (one: Standing): void => {
        line.delete(one)
        one.gone.resolve()
        if (line.size === 0 && lines.get(key) === line) lines.delete(key)
      }
      const hasEarlier = ({ slot }: Standing, own: Permit | undefined): boolean =>
        slot !== undefined && own !== undefined && slot.at <= own.at && performance.now() <= slot.until

      return {
        reached: async slot => {
          let over = false
          let end: Promise<void> | undefined
          for (const other of before(line, mine)) {
            if (mine.back) break
            if (hasEarlier(other, slot)) continue
            end ??= patience().then(() => {
              over = true
            })
            await Promise.race([other.gone.promise, end])
            if (!over || mine.back) continue
            for (const one of before(line, mine)) {
              passed(one.row)
              go(one)
            }
          }
          if (slot) mine.slot = slot
          return !mine.back
        },
        leave: () => {
          if (mine.back || !before(line, mine).next().done) return false
          go(mine)
          return true
        },
        back: () => {
          // Where it only follows another, all that are to follow know it already; what was taken since may be before it.
          if (mine.back || !line.has(mine)) return
          for (const one of [...line].slice([...line].indexOf(mine))) {
            one.back = true
            one.gone.resolve()
          }
        },
        end: () => go(mine)
      }
    }
  }
}
