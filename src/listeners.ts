import { type AppOptions, buildApp, buildAsideApp } from './app.ts'
import type { Config } from './config.ts'
import { connectionsFor, descriptorLimit } from './descriptors.ts'
import type { App, AppParts } from './http/fastify.ts'

/** The servers of one process; none of them listens yet. */
export interface Listeners {
  app: App
  /** Where WEBHOOK_PORT is set. */
  webhookApp?: App
  /** Where METRICS_PORT is set. */
  metricsApp?: App
}

/** Connections of the listener for metrics. */
const ofMetrics = 16

/** Builds the listeners that the settings ask for, and shares the connections out among them. */
export async function buildListeners(
  parts: AppParts,
  config: Config,
  options: Omit<AppOptions, 'publicUrl' | 'trustProxy' | 'docs' | 'metricsElsewhere' | 'maxConnections'>
): Promise<Listeners> {
  const metricsElsewhere = config.METRICS_PORT !== undefined
  const all: AppOptions = {
    ...{ publicUrl: config.PUBLIC_URL, trustProxy: config.TRUST_PROXY, docs: config.DOCS, metricsElsewhere },
    ...options
  }
  const most = connectionsFor(config.MAX_CONNECTIONS, descriptorLimit())
  // The providers' listener has a fifth of its own, so that neither can take the other's.
  const ofWebhooks = config.WEBHOOK_PORT === undefined ? 0 : Math.ceil(most / 5)
  return {
    app: await buildApp(parts, { ...all, maxConnections: most - ofWebhooks }),
    ...(ofWebhooks && { webhookApp: await buildAsideApp('webhooks', parts, { ...all, maxConnections: ofWebhooks }) }),
    ...(metricsElsewhere && {
      metricsApp: await buildAsideApp('metrics', parts, { ...all, maxConnections: ofMetrics })
    })
  }
}
