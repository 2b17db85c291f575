import type { View } from '../visit.ts'
import { messageViews } from './messages.ts'
import { overviewViews } from './overview.ts'

/** Every page that shows something, in the order of the navigation. */
export const views: readonly View[] = [...overviewViews, ...messageViews]
