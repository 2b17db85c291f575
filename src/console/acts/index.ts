import type { Act } from '../visit.ts'
import { stopping } from './stopping.ts'

/** Everything that can be done from the page. */
export const acts: readonly Act[] = [...stopping]
