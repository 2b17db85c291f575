import { sql } from 'kysely'
import type { BlockRow, MessageRow } from '../store/schema.ts'
import { prepare, type Store } from '../store/store.ts'

// What keeps messages from being dispatched stands in one table, and every dispatch looks there in its own commit: so a
// stop that was answered holds on every replica.

/** The keys that concern one message. */
export interface BlockKeys {
  hold: string
  account: string
  channel: string
  breaker: string
  throttle: string
  recipient: string
  /** Empty: it is of none. */
  broadcast: string
}

export const blockKey = {
  /** After a restore: nothing goes out until an operator has looked. */
  hold: 'hold',
  /** The account at Maton has to wait: Retry-After. */
  account: (mode: string) => `account/${mode}`,
  /** The stop switch of a channel. */
  channel: (id: string) => `channel/${id}`,
  /** The provider asked a channel to wait: Retry-After. */
  throttle: (mode: string, channel: string) => `throttle/${mode}/${channel}`,
  /** A channel whose upstream does not answer. */
  breaker: (mode: string, channel: string) => `breaker/${mode}/${channel}`,
  /** One person that a number has written to too often. */
  recipient: (mode: string, channel: string, contact: string) => `recipient/${mode}/${channel}/${contact}`,
  /** A broadcast that is not complete yet, paused or canceled. */
  broadcast: (id: string) => `broadcast/${id}`
} as const

export type Blockable = Pick<MessageRow, 'mode' | 'channel_id' | 'contact' | 'broadcast_id'>

export const blockKeysOf = ({ mode, channel_id, contact, broadcast_id }: Blockable): BlockKeys => ({
  hold: blockKey.hold,
  account: blockKey.account(mode),
  channel: blockKey.channel(channel_id),
  breaker: blockKey.breaker(mode, channel_id),
  throttle: blockKey.throttle(mode, channel_id),
  recipient: blockKey.recipient(mode, channel_id, contact ?? ''),
  broadcast: broadcast_id === null ? '' : blockKey.broadcast(broadcast_id)
})

export function blockQueries({ build, now }: Store) {
  const lasting = build
    .selectFrom('blocks')
    .selectAll('blocks')
    .where(eb => eb.or([eb('until', 'is', null), eb('until', '>', now)]))
  // A join: of a list SQLite makes a table at every run.
  const standing = (p: BlockKeys) =>
    lasting.innerJoin(
      sql<{ column1: string }>`(values (${p.hold}), (${p.account}), (${p.channel}), (${p.breaker}), (${p.throttle}),
        (${p.recipient}), (${p.broadcast}))`.as('wanted'),
      'wanted.column1',
      'blocks.key'
    )
  return {
    /** The blocks of some keys that hold now, for another query or by itself. */
    standing,
    of: prepare<BlockKeys, BlockRow>(p => standing(p)),
    /** All that hold now: few. */
    all: prepare<object, BlockRow>(() => lasting),
    /** All that hold now but those of one person or one broadcast, which can be many. */
    ofChannels: prepare<object, BlockRow>(() =>
      lasting
        .where(eb => eb.or([eb('key', '<', 'broadcast/'), eb('key', '>=', 'broadcast0')]))
        .where(eb => eb.or([eb('key', '<', 'recipient/'), eb('key', '>=', 'recipient0')]))
    ),
    /** For so long by the store's clock; a longer one, or one that somebody has to lift, is not made shorter. */
    raise: prepare<Omit<BlockRow, 'until'> & { forMs: number }, unknown>(p =>
      build
        .insertInto('blocks')
        .values({ key: p.key, until: sql`${now} + ${p.forMs}`, detail: p.detail, at: p.at })
        .onConflict(conflict =>
          conflict
            .column('key')
            .doUpdateSet({ until: sql`excluded.until`, detail: p.detail, at: p.at })
            .where('blocks.until', '<', sql<number>`excluded.until`)
        )
    ),
    /** Until it is lifted. */
    stop: prepare<Pick<BlockRow, 'key' | 'detail' | 'at'>, unknown>(p =>
      build
        .insertInto('blocks')
        .values({ key: p.key, until: null, detail: p.detail, at: p.at })
        .onConflict(conflict => conflict.column('key').doUpdateSet({ until: null, detail: p.detail, at: p.at }))
    ),
    /** Until it is lifted; a stop that stands there already stays as it is. */
    stopUnlessStopped: prepare<Pick<BlockRow, 'key' | 'detail' | 'at'>, unknown>(p =>
      build
        .insertInto('blocks')
        .values({ key: p.key, until: null, detail: p.detail, at: p.at })
        .onConflict(conflict => conflict.column('key').doNothing())
    ),
    /** Lifts a stop that was made with these words, and no other. */
    liftOf: prepare<{ key: string; detail: string }, unknown>(p =>
      build.deleteFrom('blocks').where('key', '=', p.key).where('detail', '=', p.detail)
    ),
    lift: prepare<{ key: string }, unknown>(p => build.deleteFrom('blocks').where('key', '=', p.key)),
    /** Deletes blocks that have ended by themselves. */
    sweep: prepare<{ before: number }, unknown>(p => build.deleteFrom('blocks').where('until', '<', p.before))
  }
}
