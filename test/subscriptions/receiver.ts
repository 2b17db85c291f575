import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { Webhook } from 'standardwebhooks'
import type { Test } from 'tap'
import { listen } from '../upstream/site.ts'

/** One thing that was posted. */
export interface Posted {
  path: string
  headers: IncomingHttpHeaders
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: events of every type
  body: any
  at: number
}

export interface Receiver {
  url: string
  port: number
  posted: Posted[]
  /** What it does with the next ones; by default it answers 204. */
  answer: (posted: Posted, response: ServerResponse) => void
  /** Ids of events, in the order in which they came. */
  ids: () => string[]
}

/** A receiver of webhooks on loopback, not of our making but for this: node's own server. */
export async function receive(t: Test): Promise<Receiver> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', part => parts.push(part))
    request.on('end', () => {
      const text = Buffer.concat(parts).toString()
      const posted = {
        path: request.url!,
        headers: request.headers,
        text,
        body: JSON.parse(text),
        at: performance.now()
      }
      receiver.posted.push(posted)
      receiver.answer(posted, response)
    })
    response.on('error', () => {})
  })
  const port = await listen(t, server)
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    posted: [],
    answer: (_, response) => void response.writeHead(204).end(),
    ids: () => receiver.posted.map(({ headers }) => String(headers['webhook-id']))
  }
  return receiver
}

/** Whether the reference library takes it: it throws where it does not. */
export const verify = (secret: string, { headers, text }: Posted): unknown =>
  new Webhook(secret).verify(text, headers as Record<string, string>)
