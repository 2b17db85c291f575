// Receives events from Switchboard: verifies them, keeps each once, answers at once, and works afterwards.
//
//   npm install standardwebhooks
//   WEBHOOK_SECRET=whsec_… PORT=8080 node examples/receive.ts
//
// Node 24.15 or later. Copy it, and put your work where `work` is.
import { createServer } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import { Webhook } from 'standardwebhooks'

const { WEBHOOK_SECRET, PORT = '8080', DATABASE = 'events.db' } = process.env
if (!WEBHOOK_SECRET) throw new Error('WEBHOOK_SECRET must be the secret that POST /subscriptions has answered')
const webhook = new Webhook(WEBHOOK_SECRET)

/** Bytes of a body at most: no event is as large. */
const mostBytes = 1024 * 1024

const db = new DatabaseSync(DATABASE)
db.exec('pragma journal_mode = wal; pragma synchronous = full')
// The id is the key: what comes again finds itself here.
db.exec(
  'create table if not exists events (id text primary key, body text not null, done integer not null default 0) strict'
)
// The effects of this example. Yours are elsewhere, perhaps: then give them the event's id, so that they can be done twice.
db.exec('create table if not exists effects (event_id text not null, type text not null) strict')
const keep = db.prepare('insert into events (id, body) values (?, ?) on conflict do nothing')
const next = db.prepare('select id, body from events where done = 0 order by rowid limit 1')
const finish = db.prepare('update events set done = 1 where id = ?')
const effect = db.prepare('insert into effects (event_id, type) values (?, ?)')

/** Does what an event asks for. Here that is a row, in the commit that marks the event as done: exactly once. */
function work(id: string, event: { type: string }): void {
  db.exec('begin immediate')
  effect.run(id, event.type)
  finish.run(id)
  db.exec('commit')
}

/** Works on what has been kept, also by a process before this one. */
function workAll(): void {
  for (let row = next.get(); row; row = next.get()) work(String(row.id), JSON.parse(String(row.body)))
}

const server = createServer((request, response) => {
  const parts: Buffer[] = []
  let size = 0
  request.on('data', (part: Buffer) => {
    size += part.length
    if (size > mostBytes) request.destroy()
    parts.push(part)
  })
  request.on('end', () => {
    // The signature is over these very bytes: JSON that was parsed and written again has others.
    const body = Buffer.concat(parts).toString()
    try {
      webhook.verify(body, request.headers as Record<string, string>)
    } catch {
      response.writeHead(401).end('not signed by Switchboard')
      return
    }
    // Durable before the answer: what was answered with 2xx does not come again.
    keep.run(String(request.headers['webhook-id']), body)
    response.writeHead(204).end()
    setImmediate(workAll)
  })
})

workAll()
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${JSON.stringify(server.address())}`))
