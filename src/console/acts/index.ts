import type { Act } from '../visit.ts'
import { channelActs } from './channels.ts'
import { keyActs } from './keys.ts'
import { messageActs } from './messages.ts'
import { stopping } from './stopping.ts'
import { subscriptionActs } from './subscriptions.ts'

/** Everything that can be done from the page. */
export const acts: readonly Act[] = [...stopping, ...messageActs, ...channelActs, ...subscriptionActs, ...keyActs]
