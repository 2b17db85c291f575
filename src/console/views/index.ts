import type { View } from '../visit.ts'
import { broadcastViews } from './broadcasts.ts'
import { channelViews } from './channels.ts'
import { keyViews } from './keys.ts'
import { messageViews } from './messages.ts'
import { overviewViews } from './overview.ts'
import { subscriptionViews } from './subscriptions.ts'
import { templateViews } from './templates.ts'
import { unknownViews } from './unknown.ts'
import { usageViews } from './usage.ts'

/** Every page that shows something, in the order of the navigation. */
export const views: readonly View[] = [
  ...overviewViews,
  ...messageViews,
  ...unknownViews,
  ...broadcastViews,
  ...channelViews,
  ...templateViews,
  ...subscriptionViews,
  ...keyViews,
  ...usageViews
]
