import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent, request } from 'undici'
import { SANDBOX_APP_SECRET } from '../../src/sandbox/index.ts'
import { until } from '../until.ts'
import { isBare } from './fates.ts'
import type { Random } from './random.ts'
import { type Told, toldBy, withoutPlants } from './told.ts'

/** Between the providers and the doors: their webhooks arrive late, in any order, some of them twice, until each is taken. */
export interface Postman {
  url: string
  /** What was acknowledged with 200, in the order of that. */
  acknowledged: Told[]
  /** Bodies that were taken here and are not acknowledged yet. */
  underWay: () => number
  /** Resolves when nothing has come and nothing is under way any more. */
  idle: () => Promise<void>
  close: () => Promise<void>
}

interface Letter {
  path: string
  body: Buffer
  headers: Record<string, string>
}

/** Signed as Meta's app does; WATI signs nothing, and nobody minds. */
function letterOf(path: string, body: Buffer): Letter {
  const signature = createHmac('sha256', SANDBOX_APP_SECRET).update(body).digest('hex')
  return { path, body, headers: { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` } }
}

/** So late a body comes at most where nothing fails: those of that time change places. */
const latestMs = 600
const rest = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/**
 * @param doors the address of the door of a connection on one of the replicas, drawn anew for each try
 */
export async function startPostman(
  random: Random,
  doors: (connection: string) => string | undefined
): Promise<Postman> {
  const dispatcher = new Agent({ connections: 16, keepAliveTimeout: 1000, keepAliveMaxTimeout: 1000 })
  const acknowledged: Told[] = []
  let underWay = 0
  let received = 0
  let closed = false

  const post = async ({ path, body, headers }: Letter): Promise<number> => {
    const door = doors(path.slice(1))
    if (door === undefined) return 0
    const signal = AbortSignal.timeout(8000)
    const answer = await request(door, { method: 'POST', dispatcher, headers, body, signal }).catch(() => undefined)
    await answer?.body.dump().catch(() => {})
    return answer?.statusCode ?? 0
  }
  /** Whatever is not a 200 is tried again, as both providers do. */
  const deliver = async (letter: Letter): Promise<void> => {
    underWay++
    if (random.chance(0.6)) await rest(random.whole(0, latestMs))
    while (!closed) {
      if ((await post(letter)) === 200) {
        acknowledged.push(...toldBy(letter.body))
        break
      }
      await rest(random.whole(50, 400))
    }
    underWay--
  }

  const server = createServer(async (incoming, answer) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    received++
    const letter = letterOf(incoming.url!, withoutPlants(Buffer.concat(chunks), isBare))
    void deliver(letter)
    // Told again it stands in another body: the bytes alone do not show that it is known.
    if (random.chance(0.25)) {
      const again = JSON.stringify(JSON.parse(letter.body.toString()), null, 1)
      void deliver(random.chance(0.3) ? letter : letterOf(incoming.url!, Buffer.from(again)))
    }
    // What happens meanwhile goes together into the next body.
    await rest(random.chance(0.2) ? random.whole(50, 300) : 0)
    answer.end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    acknowledged,
    underWay: () => underWay,
    idle: async () => {
      let before = -1
      // A person replies within a second of the sandbox's time: nothing new in three looks, and nothing under way.
      for (let quiet = 0; quiet < 3; quiet = received === before ? quiet + 1 : 0) {
        before = received
        await until(
          () => underWay,
          left => left === 0,
          120_000
        )
        await rest(400)
      }
    },
    close: async () => {
      closed = true
      await dispatcher.destroy()
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    }
  }
}
