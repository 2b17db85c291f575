import type { App } from './fastify.ts'

/** From this share of the connections on, whoever came without a key is not kept connected after his answer. */
const scarce = 0.5
/** The log tells of refused connections as often as this. */
const tellEveryMs = 60_000

/**
 * Takes so many connections and closes every further one at once. What strangers hold open between two requests is the
 * first to go: half of the connections are for callers with a key.
 */
export function limitConnections(app: App, most: number): void {
  app.server.maxConnections = most
  let open = 0
  let refused = 0
  let toldAt = Number.NEGATIVE_INFINITY
  app.server.on('connection', socket => {
    open++
    socket.once('close', () => open--)
  })
  app.server.on('drop', () => {
    refused++
    app.metrics.refusedConnection()
    if (performance.now() - toldAt < tellEveryMs) return
    toldAt = performance.now()
    app.log.warn({ most, refused }, 'there are more connections than MAX_CONNECTIONS or the descriptors allow')
  })
  app.addHook('onSend', (request, reply, payload, done) => {
    if (open > most * scarce && !request.caller) reply.header('connection', 'close')
    done(null, payload)
  })
}
