import type { CreateChannel } from '../../schemas/channels.ts'
import type { AnyAdapter } from '../adapters/adapter.ts'
import type { Channels } from '../channels/channels.ts'
import { ServiceError } from '../errors.ts'
import type { Keyring } from '../keys/keyring.ts'

/** A channel that sandbox mode makes for a newcomer to send through. */
export type DemoChannel = CreateChannel & Pick<Required<CreateChannel>, 'connectionId'>

/** Each provider's own, so that a new one has its demo channel by being one. */
export const demoChannelsOf = (adapters: Iterable<AnyAdapter>): DemoChannel[] =>
  [...adapters].flatMap(({ provider, demo }) =>
    demo ? [{ ...demo, provider, connectionId: `${demo.id}-connection` } as DemoChannel] : []
  )

/** A key that its process did not live to revoke ends by itself. */
const lifeMs = 30 * 24 * 3600_000

/** The demo channels, as far as they are not there: another replica may be making them at this moment. */
export async function makeDemoChannels(
  channels: Pick<Channels, 'ids' | 'create'>,
  wanted: readonly DemoChannel[]
): Promise<void> {
  const known = new Set(await channels.ids())
  for (const channel of wanted) {
    if (known.has(channel.id)) continue
    try {
      await channels.create(channel, null)
    } catch (error) {
      if (!(error instanceof ServiceError && error.code === 'conflict')) throw error
    }
  }
}

/** A key of this process for service demo. `now` by the store's clock. */
export const makeDemoKey = (keyring: Pick<Keyring, 'create'>, now: number) =>
  keyring.create(
    {
      service: 'demo',
      name: 'sandbox',
      mode: 'test',
      expiresAt: new Date(now + lifeMs).toISOString(),
      scopes: [
        ...(['messages:send', 'messages:read', 'broadcasts:read', 'broadcasts:write', 'media:read'] as const),
        ...(['media:write', 'channels:read', 'channels:write', 'templates:read', 'templates:write'] as const),
        ...(['contacts:read', 'contacts:write', 'connections:read', 'connections:write'] as const),
        ...(['inbound:read', 'events:read', 'native'] as const)
      ]
    },
    null
  )
