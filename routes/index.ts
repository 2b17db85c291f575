import type { RoutePlugin } from '../src/http/fastify.ts'
import { assignee } from './assignee.ts'
import { audit } from './audit.ts'
import { broadcasts } from './broadcasts.ts'
import { broadcastsResults } from './broadcasts-results.ts'
import { channelHealth } from './channel-health.ts'
import { channelWebhooks } from './channel-webhooks.ts'
import { channels } from './channels.ts'
import { connections } from './connections.ts'
import { contacts } from './contacts.ts'
import { contactsCsv } from './contacts-csv.ts'
import { dryRun } from './dry-run.ts'
import { events } from './events.ts'
import { health, liveness } from './health.ts'
import { hold } from './hold.ts'
import { identities } from './identities.ts'
import { keys } from './keys.ts'
import { media } from './media.ts'
import { messages } from './messages.ts'
import { metrics } from './metrics.ts'
import { native } from './native.ts'
import { numbers } from './numbers.ts'
import { overview } from './overview.ts'
import { receipts } from './receipts.ts'
import { subscriptions } from './subscriptions.ts'
import { suppressions } from './suppressions.ts'
import { templates } from './templates.ts'
import { unknown } from './unknown.ts'
import { usage } from './usage.ts'
import { webhooks } from './webhooks.ts'

/** All routes of the API, in the order of the document. */
export const routes: readonly RoutePlugin[] = [
  messages,
  unknown,
  dryRun,
  receipts,
  templates,
  broadcasts,
  broadcastsResults,
  media,
  contacts,
  contactsCsv,
  assignee,
  suppressions,
  channels,
  channelHealth,
  numbers,
  connections,
  native,
  keys,
  identities,
  audit,
  usage,
  hold,
  events,
  subscriptions,
  overview,
  channelWebhooks,
  webhooks,
  health,
  metrics
]

/** The routes of the listener that only the providers call (WEBHOOK_PORT). */
export const webhookRoutes: readonly RoutePlugin[] = [webhooks, liveness]

/** The routes of the listener that only whoever watches calls (METRICS_PORT); they are not on the main one then. */
export const metricsRoutes: readonly RoutePlugin[] = [metrics, liveness]
