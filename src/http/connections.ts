import type { Server } from 'node:net'
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

/** A lagging server is given so long to take in who has connected already. */
const takeInMs = 2000

/**
 * Waits until nobody is left who has a connection from the system and was not taken in yet: the end of listening would
 * reset them all. Node takes in one connection in a turn of its loop, so that a loop that lags has a hundred of them.
 */
export async function takeInConnected(servers: readonly Server[]): Promise<void> {
  let met = 0
  const meet = (): void => void met++
  for (const server of servers) for (const event of ['connection', 'drop']) server.on(event, meet)
  const until = performance.now() + takeInMs
  // One quiet turn more: whoever came last has a request to be read.
  for (let quiet = 0; quiet < 2 && performance.now() < until; ) {
    const before = met
    await new Promise(resolve => setImmediate(resolve))
    quiet = met === before ? quiet + 1 : 0
  }
  for (const server of servers) for (const event of ['connection', 'drop']) server.off(event, meet)
}
