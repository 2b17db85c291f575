import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Random } from './random.ts'

/** An event as a subscriber got it. */
export interface Posted {
  /** The header `webhook-id`. */
  id: string
  type: string
  /** The message that it is about. */
  message: string
  sequence: number
}

/** A service of a caller's that is told of events, and does not always say that it has heard. */
export interface Subscriber {
  url: string
  /** Everything that came, again and again. */
  posted: Posted[]
  close: () => Promise<void>
}

export async function startSubscriber(random: Random): Promise<Subscriber> {
  const posted: Posted[] = []
  const seen = new Set<string>()
  const server = createServer(async (incoming, answer) => {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of incoming) chunks.push(chunk)
    } catch {
      return // its sender died in the middle of it
    }
    const id = String(incoming.headers['webhook-id'])
    const { type, sequence, data } = JSON.parse(Buffer.concat(chunks).toString()) as {
      type: string
      sequence: number
      data: { id: string }
    }
    posted.push({ id, type, sequence, message: data.id })
    // The third attempt would come after 5 minutes: of one event only the first goes wrong.
    const wrong = !seen.has(id) && random.chance(0.12)
    seen.add(id)
    if (!wrong) answer.writeHead(204).end()
    else if (random.chance(0.5)) answer.writeHead(500).end()
    else incoming.socket.destroy()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    posted,
    close: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    }
  }
}
