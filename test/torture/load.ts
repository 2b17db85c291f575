import { createHash } from 'node:crypto'
import { Agent, request } from 'undici'
import { drawBroadcast } from './broadcaster.ts'
import type { Act, Attempt, BroadcastAct, Sight } from './history.ts'
import type { Random } from './random.ts'
import { adminKey } from './replica.ts'

export interface LoadOptions {
  urls: string[]
  random: Random
  clients?: number
  /** No more acts than this. */
  most?: number
  /** The longest rest between two acts of a client, in milliseconds. */
  restMs?: number
  /** False: a client waits for a second, and asks only once. */
  patient?: boolean
  /** One more client that makes broadcasts, now and then. */
  broadcasts?: boolean
}

export interface Load {
  acts: Act[]
  broadcasts: BroadcastAct[]
  sights: Sight[]
  /** No new act; resolves when every client has come to the end of its last one. */
  stop: () => Promise<void>
  /** Asks once more with every key that was answered, at most so many, and with that of every broadcast: the answer must be the same. */
  replay: (most: number) => Promise<void>
  /** Gives up its connections. */
  close: () => Promise<void>
}

/** A sane client gives up a call that stays silent, and goes on asking with the same key. */
const patienceMs = 8000
const tries = 60

const rest = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
const digest = (text: string): string => createHash('sha256').update(text).digest('base64')

/** Clients as callers write them, against all replicas, each at its own pace. */
export function startLoad({
  urls,
  random,
  clients = 8,
  most = 40_000,
  restMs = 30,
  patient = true,
  broadcasts: broadcasting = false
}: LoadOptions): Load {
  const begun = performance.now()
  const now = (): number => performance.now() - begun
  const dispatcher = new Agent({ connections: 64, keepAliveTimeout: 1000, keepAliveMaxTimeout: 1000 })
  const acts: Act[] = []
  const broadcasts: BroadcastAct[] = []
  const sights: Sight[] = []
  const ids: string[] = []
  let stopped = false
  const anyUrl = (): string => urls[random.whole(0, urls.length - 1)]!
  const call = async (method: 'GET' | 'POST', path: string, more: Record<string, string> = {}, body?: unknown) => {
    const answer = await request(anyUrl() + path, {
      method,
      dispatcher,
      headers: {
        authorization: `Bearer ${adminKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...more
      },
      signal: AbortSignal.timeout(patient ? patienceMs : 1000),
      ...(body !== undefined && { body: JSON.stringify(body) })
    })
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
  }

  /** One request of an act, written down whatever comes of it. */
  const attempt = async (
    act: Pick<Act, 'key' | 'body' | 'attempts'>,
    prefer: string,
    path = '/messages'
  ): Promise<Attempt> => {
    const from = now()
    const asked: Attempt = { from, until: from }
    act.attempts.push(asked)
    try {
      const { status, headers, text } = await call(
        'POST',
        path,
        { ...(prefer && { prefer }), ...(act.key !== undefined && { 'idempotency-key': act.key }) },
        act.body
      )
      const answer = JSON.parse(text)
      const id: string | undefined = status < 300 ? answer.id : answer.messageId
      Object.assign(asked, { status, text: digest(text), replayed: headers['idempotency-replayed'] === 'true' })
      if (id !== undefined) Object.assign(asked, { id, told: status < 300 ? answer.status : 'over' })
      Object.assign(asked, status < 300 ? { final: answer.final } : { outcome: answer.outcome })
      if (id !== undefined && path === '/messages') ids.push(id)
    } catch (error) {
      const { code, name } = error as { code?: unknown; name: string }
      // An abort has a number for a code.
      asked.error = typeof code === 'string' ? code : name
    }
    asked.until = now()
    return asked
  }
  /** Whether there is something to gain by asking again with the key. */
  const openEnd = ({ error, status = 0, id }: Attempt): boolean =>
    error !== undefined || (id === undefined && (status === 409 || status === 429 || status >= 500))

  const look = async (id: string, method: 'GET' | 'POST', path: string): Promise<void> => {
    const from = now()
    const answer = await call(method, path).catch(() => undefined)
    if (answer?.status !== 200) return
    const { status, final } = JSON.parse(answer.text) as Sight
    sights.push({ id, status, final, from, until: now() })
  }

  const client = async (own: Random, name: number): Promise<void> => {
    let before: Act | undefined
    for (let n = 0; !stopped && acts.length < most; n++) {
      const kind = own.weighted({ wait: 40, short: 15, async: 30, later: 10, brief: 5 })
      const at = (ms: number) => new Date(Date.now() + ms).toISOString()
      const twice = own.chance(0.1)
      const channel = own.weighted({ cloud: 45, wati: 45, both: 10 })
      const fallback = !twice && channel === 'cloud' && own.chance(0.3)
      // Some go to whom the one before went, so that there is an order among the messages of a contact.
      const follows = before !== undefined && !before.fallback && !fallback && own.chance(0.3)
      const to = follows ? before!.to : `49${name + 10}${String(n).padStart(8, '0')}`
      const act: Act = {
        to,
        attempts: [],
        ...(twice && { twice }),
        ...(fallback && { fallback }),
        body: {
          channel: channel === 'both' ? ['cloud', 'wati'] : channel,
          to,
          type: 'text',
          text: { body: `Message ${name}.${n}` },
          ...(twice && { onUnknown: 'resend_once' }),
          ...(fallback && { fallback: { template: { name: 'hello_world', language: 'en_US' } } }),
          ...(kind === 'later' && { sendAt: at(own.whole(200, 1500)) }),
          ...(kind === 'brief' && { sendAt: at(400), expiresAt: at(own.whole(450, 1500)) })
        },
        ...(own.chance(0.6) && { key: `key-${name}-${n}` })
      }
      acts.push(act)
      before = act
      const prefer = kind === 'short' ? 'wait=1' : kind === 'wait' ? '' : 'respond-async'
      let last = await attempt(act, prefer)
      for (let again = 0; patient && act.key !== undefined && again < tries && openEnd(last); again++) {
        await rest(own.whole(50, 500))
        last = await attempt(act, prefer)
      }
      // Now and then one that was refused by a 5xx is asked for again, as the contract allows.
      if (act.key !== undefined && last.id !== undefined && last.status! >= 500 && own.chance(0.5))
        await attempt(act, prefer)
      if (last.id !== undefined && kind === 'later' && own.chance(0.5))
        await look(last.id, 'POST', `/messages/${last.id}/cancel`)
      await rest(own.whole(0, restMs))
    }
  }
  /** Everything that is told of the messages of a broadcast, once. */
  const lookAtAll = async (id: string): Promise<void> => {
    const from = now()
    const answer = await call('GET', `/broadcasts/${id}/messages?limit=100`).catch(() => undefined)
    if (answer?.status !== 200) return
    for (const { id, status, final } of (JSON.parse(answer.text) as { items: Sight[] }).items) {
      ids.push(id)
      sights.push({ id, status, final, from, until: now() })
    }
  }
  const broadcaster = async (own: Random): Promise<void> => {
    for (let n = 0; !stopped; n++) {
      const act = drawBroadcast(own, n)
      broadcasts.push(act)
      let last = await attempt(act, '', '/broadcasts')
      for (let again = 0; patient && again < tries && openEnd(last); again++) {
        await rest(own.whole(50, 500))
        last = await attempt(act, '', '/broadcasts')
      }
      const { id } = last
      if (id !== undefined) {
        await rest(own.whole(0, 300))
        await lookAtAll(id)
        if (own.chance(0.15)) await call('POST', `/broadcasts/${id}/cancel`).catch(() => undefined)
        await lookAtAll(id)
      }
      await rest(own.whole(0, 800))
    }
  }
  const reader = async (own: Random): Promise<void> => {
    while (!stopped) {
      await rest(own.whole(1, 20))
      const id = ids[Math.max(0, ids.length - own.whole(1, 100))]
      if (id !== undefined) await look(id, 'GET', `/messages/${id}`)
    }
  }
  const loops = [
    ...Array.from({ length: clients }, (_, i) => client(random.fork(), i)),
    ...Array.from({ length: 2 }, () => reader(random.fork())),
    ...(broadcasting ? [broadcaster(random.fork())] : [])
  ]
  return {
    acts,
    broadcasts,
    sights,
    stop: async () => {
      stopped = true
      await Promise.all(loops)
    },
    replay: async count => {
      const keyed = acts.filter(act => act.key !== undefined && act.attempts.some(({ id }) => id !== undefined))
      const step = Math.max(1, Math.ceil(keyed.length / count))
      for (const [i, act] of keyed.entries()) if (i % step === 0) await attempt(act, '')
      for (const act of broadcasts) await attempt(act, '', '/broadcasts')
    },
    close: () => dispatcher.destroy()
  }
}
