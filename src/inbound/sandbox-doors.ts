import type { AnyAdapter, Scope } from '../adapters/adapter.ts'
import type { Channels } from '../channels/channels.ts'
import type { Door } from './door.ts'

/** Whose webhooks the stand-in is going to tell. */
export interface StandInAccount {
  connectionId: string
  /** The sending number. */
  scope: Scope
}

/**
 * The doors of test mode that the stand-in calls, as if every account had been registered: so a test key's messages become
 * delivered and are answered, and no live row is made by it.
 * @param address where this process listens, or undefined before it does
 */
export function createSandboxDoors(
  adapters: ReadonlyMap<string, AnyAdapter>,
  channels: Pick<Channels, 'ids' | 'bind'>,
  door: Pick<Door, 'pathOf'>,
  address: () => string | undefined
): (account: StandInAccount) => Promise<{ url: string; appSecret?: string }[]> {
  const told = async (id: string, { connectionId, scope }: StandInAccount) => {
    const channel = await channels.bind(id, 'test')
    const path = await door.pathOf(id, 'test')
    const at = address()
    if (channel?.connectionId !== connectionId || path === undefined || at === undefined) return []
    if (!adapters.get(channel.provider)?.hear?.concerns(channel.settings, scope)) return []
    const { appSecret } = channel.settings as { appSecret?: string }
    return [{ url: at + path, ...(appSecret !== undefined && { appSecret }) }]
  }
  return async account => (await Promise.all((await channels.ids()).map(id => told(id, account)))).flat()
}
