import type { App } from '../fastify.ts'

/**
 * While closing, every answer ends its connection: without that a busy keep-alive connection held Fastify's close for
 * over a minute (RELIABILITY.md, decision 8).
 */
export function shutdown(app: App): void {
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onSend', async (_, reply) => {
    if (closing) reply.header('connection', 'close')
  })
}
