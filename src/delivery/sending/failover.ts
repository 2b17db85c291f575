import type { MessageError } from '../../../schemas/problem.ts'
import { fallbackOf, instead, type Next } from '../../messages/fallback.ts'
import { queueOf } from '../../messages/queue.ts'
import { keepOptions, optionsOf } from '../../messages/row.ts'
import type { MessageRow } from '../../store/schema.ts'

/**
 * Where a message goes after a definite refusal: the fallback template if the window is closed, else the next channel.
 * @param refused the row as it would end: failed, and nothing of it reached the recipient
 * @param providerOf the provider of a channel; undefined where the channel is gone
 * @returns the row to claim in its place, with a sentence for its timeline; undefined: it has failed
 */
export async function failover(
  refused: MessageRow,
  providerOf: (channelId: string) => Promise<string | undefined>
): Promise<Next | undefined> {
  if (refused.options === null) return undefined
  const { code } = JSON.parse(refused.error!) as MessageError
  const { fallback, channels = [], ...options } = optionsOf(refused)
  if (fallback && code === 'window_closed') return fallbackOf(refused)
  for (const [i, id] of channels.entries()) {
    const provider = await providerOf(id)
    if (provider === undefined) continue
    const rest = channels.slice(i + 1)
    const left = { ...options, ...(rest.length > 0 && { channels: rest }), ...(fallback && { fallback }) }
    return instead(
      refused,
      { channel_id: id, provider, options: keepOptions(left), queue: queueOf({ ...refused, channel_id: id }) },
      `Channel ${refused.channel_id} refused it (${code}): it was sent through ${id} instead.`
    )
  }
  return undefined
}
