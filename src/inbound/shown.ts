import type { Mode } from '../../schemas/common.ts'
import type { ChannelWebhooks } from '../../schemas/webhooks.ts'
import type { AnyAdapter } from '../adapters/adapter.ts'
import type { DispatchChannel } from '../dispatch/provider-client.ts'
import type { WebhookRegistrationRow } from '../store/schema-inbound.ts'
import { digestOfUrl } from './at-provider.ts'

// How a registration is shown to callers.

/** An instant of the store as callers see it; null where there is none. */
export const instant = (ms: number | null | undefined): string | null =>
  ms ? new Date(Number(ms)).toISOString() : null

/** Why nothing can be registered or read back. */
export const unreachable = 'Without PUBLIC_URL nobody knows how the provider can reach this server.'

/**
 * What is known of where the provider calls.
 * @param url the address that is shown beside it
 * @param mode in test mode the sandbox calls every door by itself
 */
export function registeredView(
  row: WebhookRegistrationRow | undefined,
  mode: Mode,
  url: string | undefined
): ChannelWebhooks['registered'] {
  if (row?.registered !== 1) return { atProvider: mode === 'test' ? true : 'unknown', checkedAt: null }
  const checkedAt = instant(row.checked_at)
  // What was looked at is another address than the one that is shown.
  if (row.at_provider === 'true' && row.url_digest !== null && url !== undefined && row.url_digest !== digestOfUrl(url))
    return { atProvider: 'unknown', problem: 'The provider was told another address: register this one.', checkedAt }
  return {
    atProvider: row.at_provider === 'unknown' ? 'unknown' : row.at_provider === 'true',
    ...(row.fields !== null && { fields: JSON.parse(row.fields) as string[] }),
    ...(row.problem !== null && { problem: row.problem }),
    checkedAt
  }
}

/** Which other channels hear the same number as this one does, through an address of their own. */
export const twinsOf = (
  channel: DispatchChannel,
  all: readonly DispatchChannel[],
  numberOf: NonNullable<AnyAdapter['hear']>['numberOf']
): string[] =>
  all
    .filter(
      ({ id, provider, connectionId, settings }) =>
        id !== channel.id &&
        provider === channel.provider &&
        connectionId === channel.connectionId &&
        numberOf !== undefined &&
        numberOf(settings as never) === numberOf(channel.settings as never)
    )
    .map(({ id }) => id)

/**
 * What whoever looks at a registration should know.
 * @param notCovered what a registered address is never told
 * @param twins channels that hear the same number
 */
export function warningsOf(url: string | undefined, notCovered: string | undefined, twins: string[]): string[] {
  return [
    ...(url === undefined ? [unreachable] : []),
    ...(url?.startsWith('http:')
      ? ['The address is http: whoever reads along sees its secret. Providers want https.']
      : []),
    ...(notCovered === undefined ? [] : [notCovered]),
    ...(twins.length === 0
      ? []
      : [
          `The same number is that of ${twins.join(', ')}: what is written to it becomes a message of each that is registered.`
        ])
  ]
}
