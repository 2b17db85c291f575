import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import swagger from '@fastify/swagger'
import { Type } from '@sinclair/typebox'
import fastify from 'fastify'

// The least that a server on this stack loads: what bench/start.ts compares our start with, and bench/reads.ts our GET.
const db = new DatabaseSync(join(process.env.DATA_DIR!, 'skeleton.db'))
db.exec('PRAGMA journal_mode=WAL; create table if not exists a (b text) strict')
const app = fastify()
await app.register(swagger, { openapi: { info: { title: 'skeleton', version: '1' } } })
const answer = process.env.ANSWER ?? '{"ok":true}'
app.get('/readyz', { schema: { response: { 200: Type.Object({ ok: Type.Boolean() }) } } }, async () => ({ ok: true }))
app.get('/answer', async (_, reply) => reply.type('application/json; charset=utf-8').send(answer))
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
const { port } = app.server.address() as { port: number }
console.log(JSON.stringify({ url: `http://127.0.0.1:${port}` }))
process.once('SIGTERM', async () => {
  await app.close()
  db.close()
})
