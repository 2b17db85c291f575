import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Mode } from '../../schemas/common.ts'
import type { AnyAdapter } from '../adapters/adapter.ts'
import type { Channels } from '../channels/channels.ts'
import { ServiceError } from '../errors.ts'
import { failpoint } from '../failpoints.ts'
import { newId } from '../ids.ts'
import { bodyMark } from '../messages/erased.ts'
import type { Metrics } from '../metrics.ts'
import { givingWay } from '../own-work.ts'
import { change, first, prepare, type Store, type Unit, type WriteOptions } from '../store/store.ts'
import { createRecent } from './recent.ts'
import { sameSecret, type WebhookTokens } from './tokens.ts'

/** A request to the door that has shown the token of this channel. */
export interface Admission {
  channelId: string
  provider: string
  mode: Mode
  token: string
  settings: { appSecret?: string; verifyToken?: string }
}

/** Where the providers' webhooks come in (docs/api.md 12): what is kept here is acknowledged, and read afterwards. */
export interface Door {
  /** The path of a channel's door, with the token in force: a secret. Undefined where there is no such channel. */
  pathOf: (channelId: string, mode: Mode) => Promise<string | undefined>
  /** Throws the 404 that a wrong token is answered, the same as for a channel that there is not. */
  admit: (channelId: string, token: string) => Promise<Admission>
  /** What Meta's handshake is answered. Throws a 403 or a 400. */
  shake: (admission: Admission, query: Record<string, unknown>) => string
  /**
   * Keeps a body; resolves when it is on disk. Nothing of it is looked at but its signature.
   * @throws a 401 where the signature that the channel's app secret asks for is missing or wrong
   */
  receive: (admission: Admission, headers: IncomingHttpHeaders, body: Buffer) => Promise<void>
  /** The header that makes a body genuine for a channel; none where nothing is asked for. For the stand-in that plays webhooks. */
  sign: (admission: Admission, body: Buffer) => Record<string, string>
}

export interface DoorParts {
  store: Store
  adapters: ReadonlyMap<string, AnyAdapter>
  channels: Channels
  tokens: WebhookTokens
  metrics: Metrics
  /** Something waits to be read. */
  wake: () => void
}

/** The word to other replicas that a webhook waits. */
export const webhookWord = 'webhook'

const unheard = (): ServiceError => new ServiceError('not_found', 'There is nothing here.')
const own = new Set(['authorization', 'cookie', 'proxy-authorization'])

/** What a sender says of its body; not what is secret, which proxies repeat in headers of their own. */
function kept(headers: IncomingHttpHeaders, token: string): string {
  const shown = Object.entries(headers).filter(([name, value]) => !own.has(name) && !String(value).includes(token))
  return JSON.stringify(Object.fromEntries(shown))
}

/** Bytes from which a body has been waited for long enough. */
const largeBody = 64 * 1024

interface NewWebhook {
  id: string
  channel: string
  mode: string
  size: number
  headers: string
  sha256: string
  /** Behind the millisecond: digests alone would have each webhook write to a page of its own of the index (docs/decisions/0109). */
  timedDigest: string
  at: number
}

export function createDoor({ store, adapters, channels, tokens, metrics, wake }: DoorParts): Door {
  const { build } = store
  const recent = createRecent()
  const insert = prepare<NewWebhook, unknown>(p =>
    build
      .insertInto('webhooks')
      .values({
        id: p.id,
        channel_id: p.channel,
        mode: p.mode as Mode,
        size: p.size,
        headers: p.headers,
        sha256: p.timedDigest,
        state: 'waiting',
        position: 0,
        reason: null,
        received_at: p.at,
        tries: 0
      })
      // Another process has kept it at this very moment.
      .onConflict(conflict => conflict.columns(['channel_id', 'mode', 'sha256']).doNothing())
  )
  const insertBody = prepare<{ id: string; body: Uint8Array }, unknown>(p =>
    build.insertInto('webhook_bodies').values({ id: p.id, body: p.body })
  )
  const erased = prepare<{ channel: string; mode: string; identity: string }, unknown>(p =>
    build
      .selectFrom('heard_events')
      .select('at')
      .where('channel_id', '=', p.channel)
      .where('mode', '=', p.mode as Mode)
      .where('identity', '=', p.identity)
  )
  /** False: it told of somebody who was erased, and must not come back (src/contacts/erase-bodies.ts). */
  function* keep(row: NewWebhook, body: Buffer): Unit<boolean> {
    const { channel, mode, sha256 } = row
    if (yield* first(erased({ channel, mode, identity: bodyMark(sha256) }))) return false
    if ((yield* change(insert(row))) === 0) return false
    yield insertBody({ id: row.id, body })
    if (store.notifications) yield store.notifications.publish(webhookWord)
    return true
  }
  const signatureOf = (secret: string, prefix: string, body: Buffer): string =>
    prefix + createHmac('sha256', secret).update(body).digest('hex')

  /** Over the bytes as they came: written anew, the same JSON has another signature (docs/upstream.md 4.12). */
  const checkSignature = ({ provider, settings }: Admission, headers: IncomingHttpHeaders, body: Buffer): void => {
    const form = adapters.get(provider)?.hear?.signature
    if (!form || settings.appSecret === undefined) return
    const given = Buffer.from(String(headers[form.header.toLowerCase()] ?? ''))
    const right = Buffer.from(signatureOf(settings.appSecret, form.prefix, body))
    if (given.length === right.length && timingSafeEqual(given, right)) return
    metrics.webhook(provider, 'forged')
    throw new ServiceError('unauthenticated', `The body does not carry the right ${form.header}.`)
  }

  return {
    pathOf: async (channelId, mode) => {
      const token = await tokens.current(channelId, mode)
      return token && `/webhooks/${channelId}/${token}`
    },

    admit: async (channelId, token) => {
      await givingWay.turn()
      const mode = await tokens.modeOf(channelId, token)
      const channel = mode && (await channels.bind(channelId, mode))
      if (!channel) throw unheard()
      const settings = channel.settings as Admission['settings']
      return { channelId, provider: channel.provider, mode, token, settings }
    },

    shake: ({ channelId, mode, settings }, query) => {
      const [asked, word, challenge] = ['mode', 'verify_token', 'challenge'].map(name => query[`hub.${name}`])
      const right = settings.verifyToken ?? tokens.verifyToken(channelId, mode)
      if (asked !== 'subscribe' || typeof word !== 'string' || !sameSecret(word, right))
        throw new ServiceError('forbidden', 'hub.mode must be subscribe, and hub.verify_token that of the channel.')
      // It is given back as it is: nothing but digits, or the address could be used to show others a page (T38).
      if (typeof challenge === 'string' && /^\d{1,64}$/.test(challenge)) return challenge
      const message = 'must be 1 to 64 digits'
      throw new ServiceError('invalid_request', `hub.challenge ${message}.`, {
        errors: [{ path: 'query/hub.challenge', message }]
      })
    },

    receive: async (admission, headers, body) => {
      checkSignature(admission, headers, body)
      const { channelId: channel, mode, provider } = admission
      const at = store.clock()
      const sha256 = createHash('sha256').update(body).digest('hex')
      const row = {
        ...{ id: newId('whk'), channel, mode, size: body.length, headers: kept(headers, admission.token) },
        ...{ sha256, timedDigest: `${at.toString(16).padStart(12, '0')}/${sha256}`, at }
      }
      const how: WriteOptions = body.length < largeBody ? { patient: 'commit' } : {}
      const fresh = await recent.once([channel, mode, sha256].join('/'), at, () =>
        store.reserved.write(() => keep(row, body), how)
      )
      failpoint('webhook_kept')
      await givingWay.turn()
      metrics.webhook(provider, fresh ? 'kept' : 'known')
      if (fresh) wake()
    },

    sign: ({ provider, settings }, body) => {
      const form = adapters.get(provider)?.hear?.signature
      if (!form || settings.appSecret === undefined) return {}
      return { [form.header]: signatureOf(settings.appSecret, form.prefix, body) }
    }
  }
}
