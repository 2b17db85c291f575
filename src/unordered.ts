// Entries in no order, of which each is added and taken out at once, whatever their number. Not a Map or a Set: one that changes
// with every request keeps what it held (docs/decisions/0103).

export interface Placed {
  /** Where it stands; less than 0 where it is not among them. */
  index: number
}

export function addTo<T extends Placed>(all: T[], entry: T): void {
  if (entry.index < 0) entry.index = all.push(entry) - 1
}

/** @returns whether it was among them */
export function takeFrom<T extends Placed>(all: T[], entry: T): boolean {
  if (entry.index < 0) return false
  const last = all.pop()!
  if (last !== entry) {
    all[entry.index] = last
    last.index = entry.index
  }
  entry.index = -1
  return true
}
