import { sql } from 'kysely'
import type { Mode } from '../../schemas/common.ts'
import type { Limit } from '../adapters/adapter.ts'
import type { Channels } from '../channels/channels.ts'
import { blockKey, blockQueries } from '../messages/blocks.ts'
import { prepare, type Store } from '../store/store.ts'
import type { FigureSource } from './figures.ts'

export interface ChannelFigureParts {
  store: Store
  channels: Pick<Channels, 'all'>
  /** The mode that is watched: live, or test where there is no account. */
  mode: Mode
  /** The account's limit as it is now; undefined: nothing is paced. */
  accountLimit: (mode: Mode) => Limit | undefined
}

/** What keeps messages from going out, a series a channel and cause, so that an alarm sees it end as well. */
export function blockFigures(
  parts: ChannelFigureParts
): FigureSource<'switchboard_hold' | 'switchboard_account_throttled' | 'switchboard_channel_blocked'> {
  const { store, channels, mode } = parts
  const blocks = blockQueries(store)
  return {
    name: 'blocks',
    figures: {
      switchboard_hold: { help: 'Everything is held after a restore: 1' },
      switchboard_account_throttled: { help: 'Maton asked the account to wait: 1' },
      switchboard_channel_blocked: {
        help: 'Nothing goes out through the channel: paused, its breaker is open, or the provider asked to wait: 1',
        labels: ['channel', 'cause'],
        merge: 'max'
      }
    },
    look: async tell => {
      const standing = new Set((await store.read(blocks.ofChannels({}))).map(({ key }) => key))
      const is = (key: string): number => Number(standing.has(key))
      tell('switchboard_hold', is(blockKey.hold))
      tell('switchboard_account_throttled', is(blockKey.account(mode)))
      for (const { id: channel } of await channels.all(mode)) {
        tell('switchboard_channel_blocked', is(blockKey.channel(channel)), { channel, cause: 'paused' })
        tell('switchboard_channel_blocked', is(blockKey.breaker(mode, channel)), { channel, cause: 'breaker' })
        tell('switchboard_channel_blocked', is(blockKey.throttle(mode, channel)), { channel, cause: 'throttle' })
      }
    }
  }
}

/** How much of the account's pace is in use. */
export function paceFigures({
  store,
  mode,
  accountLimit
}: ChannelFigureParts): FigureSource<'switchboard_pace_used_ratio' | 'switchboard_pace_calls_per_second'> {
  const { build, now } = store
  const given = prepare<{ key: string }, { log: string | null; now: number }>(p =>
    build.selectNoFrom(eb => [
      eb.selectFrom('paces').select('log').where('key', '=', p.key).as('log'),
      sql<number>`${now}`.as('now')
    ])
  )
  return {
    name: 'pace',
    figures: {
      switchboard_pace_used_ratio: {
        help: 'Share of the account’s calls that is in use this moment; 0 without a pace'
      },
      switchboard_pace_calls_per_second: {
        help: 'MATON_RATE_PER_SECOND as it is kept; 0: nothing is paced',
        labels: ['mode']
      }
    },
    look: async tell => {
      const limit = accountLimit(mode)
      const rate = limit ? (limit.calls * 1000) / limit.windowMs : 0
      tell('switchboard_pace_calls_per_second', rate, { mode })
      if (!limit) return tell('switchboard_pace_used_ratio', 0)
      const [row] = await store.read(given({ key: limit.key }))
      const since = Number(row!.now) - limit.windowMs
      const used = (JSON.parse(row!.log ?? '[]') as number[]).filter(at => at > since).length
      tell('switchboard_pace_used_ratio', used / limit.calls)
    }
  }
}

/** What is counted up to this: more is as bad. */
const many = 10_000

/** Whether the providers still tell us what became of messages. */
export function webhookFigures({
  store,
  channels,
  mode
}: ChannelFigureParts): FigureSource<
  | 'switchboard_webhook_heard_seconds'
  | 'switchboard_webhook_silent'
  | 'switchboard_webhooks_unread'
  | 'switchboard_heard_unmatched'
> {
  const { build, now } = store
  const heard = prepare<{ mode: string }, { channel_id: string; ago: number | null }>(p =>
    build
      .selectFrom('webhook_lanes')
      .select(['channel_id', sql<number | null>`${now} - heard_at`.as('ago')])
      .where('mode', '=', p.mode as Mode)
  )
  const silent = prepare<{ mode: string }, { channel_id: string; silent_since: number | null }>(p =>
    build
      .selectFrom('webhook_registrations')
      .select(['channel_id', 'silent_since'])
      .where('mode', '=', p.mode as Mode)
  )
  const counted = (what: ReturnType<typeof sql>) =>
    prepare<{ limit: number }, { count: number }>(p => ({
      compile: () =>
        sql<{
          count: number
        }>`select count(*) as count from (select 1 as one from ${what} limit ${p.limit}) as some`.compile(build)
    }))
  const states = {
    waiting: counted(sql`webhooks where state = 'waiting'`),
    set_aside: counted(sql`webhooks where state = 'set_aside'`)
  }
  const unmatched = counted(sql`message_ids where message_id is null`)
  return {
    name: 'webhooks',
    figures: {
      switchboard_webhook_heard_seconds: {
        help: 'Since when nothing was heard of a channel that has been heard',
        labels: ['channel'],
        merge: 'max'
      },
      switchboard_webhook_silent: {
        help: 'Messages are accepted and nothing is told of them, or the provider will not call: 1',
        labels: ['channel'],
        merge: 'max'
      },
      switchboard_webhooks_unread: {
        help: 'Webhooks that wait, and that were set aside as unreadable',
        labels: ['state']
      },
      switchboard_heard_unmatched: { help: 'Ids that something was told of, and that belong to no message so far' }
    },
    look: async tell => {
      const since = new Map((await store.read(heard({ mode }))).map(({ channel_id, ago }) => [channel_id, ago]))
      const quiet = new Set(
        (await store.read(silent({ mode }))).flatMap(row => (row.silent_since === null ? [] : [row.channel_id]))
      )
      for (const { id: channel } of await channels.all(mode)) {
        const ago = since.get(channel)
        if (ago != null) tell('switchboard_webhook_heard_seconds', Math.max(0, Number(ago)) / 1000, { channel })
        tell('switchboard_webhook_silent', Number(quiet.has(channel)), { channel })
      }
      for (const [state, query] of Object.entries(states))
        tell('switchboard_webhooks_unread', Number((await store.read(query({ limit: many })))[0]!.count), { state })
      tell('switchboard_heard_unmatched', Number((await store.read(unmatched({ limit: many })))[0]!.count))
    }
  }
}
