import * as all from './all.ts'
import type { StandIn } from './stand-in.ts'

/** Every provider that the sandbox plays, by name. */
export const standIns: ReadonlyMap<string, StandIn> = new Map(
  Object.values<StandIn>(all).map(each => [each.name, each])
)
