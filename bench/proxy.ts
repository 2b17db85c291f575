import proxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import { matonKey } from './children.ts'

// What Switchboard is compared with: a proxy that only swaps the key. `node bench/proxy.ts <upstream url>`
const upstream = process.argv[2]!
const app = Fastify()
await app.register(proxy, {
  upstream,
  replyOptions: {
    rewriteRequestHeaders: (_, headers) => ({
      ...headers,
      authorization: `Bearer ${matonKey}`,
      'maton-connection': 'bench'
    })
  }
})
console.log(JSON.stringify({ url: await app.listen({ host: '127.0.0.1', port: 0 }) }))
process.on('SIGTERM', () => process.exit(0))
