import { cloud } from './cloud/index.ts'
import type { StandIn } from './stand-in.ts'
import { wati } from './wati/index.ts'

/** Every provider that the sandbox plays, by name. */
export const standIns: ReadonlyMap<string, StandIn> = new Map([wati, cloud].map(each => [each.name, each]))
