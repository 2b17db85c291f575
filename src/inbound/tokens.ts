import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { Mode } from '../../schemas/common.ts'
import { ServiceError } from '../errors.ts'
import type { WebhookTokenRow } from '../store/schema-inbound.ts'
import { all, change, type Store, type Unit } from '../store/store.ts'

// The tokens in the addresses of webhooks. None is stored: each is an HMAC, under a key made from the pepper, of the
// channel, the mode and the generation. So a stolen database opens no door, and every replica knows every token.

const modes: readonly Mode[] = ['live', 'test']
/** Base64url characters of 144 bits; Meta takes an address of 200 characters at most (docs/webhooks.md C2). */
const length = 24
/** How long what is known of a channel is believed: so long a replica may not know of a rotation by another. */
const believeMs = 1000
/** How long it is believed where a token does not fit: guesses do not have the store looked into each time. */
const doubtMs = 100
/** The word to other replicas that a channel has a new token, before its name. */
const rotationWord = 'webhook-token '
/** Names of channels that are remembered, so that guesses at them cost no query each. */
const mostKnown = 1000

export interface WebhookTokens {
  /** Whose door a token opens; undefined: none. Takes the same time for every wrong token. */
  modeOf: (channelId: string, token: string) => Promise<Mode | undefined>
  /** The token in force; undefined where there is no such channel. */
  current: (channelId: string, mode: Mode) => Promise<string | undefined>
  /** What Meta has to say in its handshake where the channel's settings name nothing else. */
  verifyToken: (channelId: string, mode: Mode) => string
  /** Makes a new token for a mode; the one before counts for a while yet. */
  rotate: (channelId: string, mode: Mode, overlapSeconds: number) => Promise<void>
  /** Has those before the token in force end sooner. */
  endFormer: (channelId: string, mode: Mode, overlapSeconds: number) => Promise<void>
}

interface Known {
  at: number
  current: Record<Mode, string>
  valid: { mode: Mode; digest: Buffer }[]
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Whether two texts are equal, in a time that says nothing about where they differ. */
export const sameSecret = (given: string, secret: string): boolean => timingSafeEqual(digest(given), digest(secret))

export function createWebhookTokens(store: Store, pepper: string): WebhookTokens {
  const { build } = store
  const key = Buffer.from(hkdfSync('sha256', pepper, '', 'switchboard webhook tokens 1', 32))
  const make = (...parts: (string | number)[]): string =>
    createHmac('sha256', key).update(parts.join('\n')).digest('base64url').slice(0, length)
  const known = new Map<string, Known | { at: number }>()
  let rotations = 0
  const forget = (channelId: string): void => {
    rotations++
    known.delete(channelId)
  }
  store.notifications?.subscribe(word => word.startsWith(rotationWord) && forget(word.slice(rotationWord.length)))

  const look = async (channelId: string): Promise<Known | undefined> => {
    const rows = await store.reserved.read(
      build
        .selectFrom('channels')
        .leftJoin('webhook_tokens as t', join =>
          join
            .onRef('t.channel_id', '=', 'channels.id')
            .on(eb => eb.or([eb('t.ends_at', 'is', null), eb('t.ends_at', '>', store.now)]))
        )
        // A channel that is made anew under an old name has new tokens: its beginning goes into them.
        .select(['channels.created_at as since', 't.mode', 't.generation', 't.ends_at'])
        .where('channels.id', '=', channelId)
        .orderBy('t.generation', 'desc')
        .compile()
    )
    const [first] = rows
    if (!first) return undefined
    const token = (mode: Mode, generation: number) => make('token', channelId, mode, first.since, generation)
    const current = { live: token('live', 1), test: token('test', 1) }
    const valid: Known['valid'] = []
    for (const mode of modes) {
      const own = rows.filter(row => row.mode === mode)
      const newest = own.find(row => row.ends_at === null)
      if (newest) current[mode] = token(mode, newest.generation!)
      valid.push({ mode, digest: digest(current[mode]) })
      for (const row of own) if (row !== newest) valid.push({ mode, digest: digest(token(mode, row.generation!)) })
    }
    return { at: performance.now(), current, valid }
  }
  const find = async (channelId: string, believed: number): Promise<Known | undefined> => {
    const had = known.get(channelId)
    if (had && performance.now() - had.at < believed) return 'valid' in had ? had : undefined
    const before = rotations
    const found = await look(channelId)
    // It may be of the moment before.
    if (rotations !== before) return find(channelId, 0)
    if (known.size >= mostKnown) known.delete(known.keys().next().value as string)
    // On an embedded store a channel that was not there may be there the next moment, and looking costs nothing.
    if (found || store.dialect === 'postgres') known.set(channelId, found ?? { at: performance.now() })
    return found
  }
  /** Inside a unit: those before the token in force end by an instant, where they do not end sooner, and the other replicas are told. */
  function* endBy(channel_id: string, mode: Mode, ends_at: number): Unit<void> {
    const inForce = build
      .selectFrom('webhook_tokens')
      .select(eb => eb.fn.max('generation').as('generation'))
      .where('channel_id', '=', channel_id)
      .where('mode', '=', mode)
    yield build
      .updateTable('webhook_tokens')
      .set({ ends_at })
      .where('channel_id', '=', channel_id)
      .where('mode', '=', mode)
      .where('generation', '<', inForce)
      .where(eb => eb.or([eb('ends_at', 'is', null), eb('ends_at', '>', ends_at)]))
      .compile()
    if (store.notifications) yield store.notifications.publish(rotationWord + channel_id)
  }
  const nobody: Known['valid'] = [{ mode: 'live', digest: digest(make('nobody')) }]

  return {
    modeOf: async (channelId, token) => {
      const given = digest(token)
      const fitting = (found: Known | undefined): Mode | undefined => {
        let mode: Mode | undefined
        for (const each of found?.valid ?? nobody) if (timingSafeEqual(given, each.digest)) mode = each.mode
        return mode
      }
      // Another replica may have made it a moment ago, and a provider tries a new address at once.
      const mode = fitting(await find(channelId, believeMs))
      return mode === undefined && store.dialect === 'postgres' ? fitting(await find(channelId, doubtMs)) : mode
    },
    // It is told to a provider, or held against what one was told: of another replica's rotation no word may have come yet.
    current: async (channelId, mode) => (await find(channelId, store.notifications ? 0 : believeMs))?.current[mode],
    verifyToken: (channelId, mode) => make('verify', channelId, mode),
    rotate: async (channel_id, mode, overlapSeconds) => {
      const now = store.clock()
      await store.write(function* () {
        const rows = yield* all(
          build
            .selectFrom('webhook_tokens')
            .selectAll()
            .where('channel_id', '=', channel_id)
            .where('mode', '=', mode)
            .orderBy('generation', 'desc')
        )
        const last = rows[0]?.generation ?? 1
        const ends_at = now + overlapSeconds * 1000
        const row = (generation: number, ends: number | null): WebhookTokenRow => ({
          ...{ channel_id, mode, generation, created_at: now },
          ends_at: ends
        })
        const made = build
          .insertInto('webhook_tokens')
          .values(row(last + 1, null))
          .onConflict(conflict => conflict.doNothing())
        if ((yield* change(made)) === 0)
          throw new ServiceError('conflict', 'Another rotation of this address has just been made: ask again.')
        if (rows.length === 0) yield build.insertInto('webhook_tokens').values(row(last, ends_at)).compile()
        yield* endBy(channel_id, mode, ends_at)
      })
      forget(channel_id)
    },
    endFormer: async (channel_id, mode, overlapSeconds) => {
      await store.write(() => endBy(channel_id, mode, store.clock() + overlapSeconds * 1000))
      forget(channel_id)
    }
  }
}
