import type { PhoneNumber, Profile, UpdateProfile } from '../../schemas/numbers.ts'
import { ask } from '../dispatch/ask.ts'
import { fromCursor, type ProviderPosition, toCursor } from '../dispatch/cursor.ts'
import type { ProviderClient } from '../dispatch/provider-client.ts'
import type { Caller } from '../keys/caller.ts'
import { auditEntry } from '../store/audit.ts'
import type { Store } from '../store/store.ts'
import type { Channels } from './channels.ts'

/** What a channel's account and number say of themselves. */
export interface Numbers {
  list: (
    caller: Caller,
    channel: string,
    page: { limit?: number; cursor?: string }
  ) => Promise<{ items: PhoneNumber[]; nextCursor: string | null }>
  get: (caller: Caller, channel: string) => Promise<PhoneNumber>
  profile: (caller: Caller, channel: string) => Promise<Profile>
  /** Answers the profile as it is then. */
  update: (caller: Caller, channel: string, change: UpdateProfile) => Promise<Profile>
}

/** All of it is the provider's: nothing is kept here but who changed it. */
export function createNumbers({
  channels,
  providerClient,
  store
}: {
  channels: Channels
  providerClient: ProviderClient
  store: Store
}): Numbers {
  return {
    list: async (caller, id, { limit = 25, cursor }) => {
      const channel = await channels.resolve(caller, id)
      const list = [channel.id, channel.mode, 'phone-numbers']
      const at: ProviderPosition | undefined = cursor === undefined ? undefined : fromCursor(list, cursor)
      const asked = { limit, ...(at?.cursor && { cursor: at.cursor }) }
      const { items, nextCursor } = await ask(providerClient, 'listPhoneNumbers', channel, asked)
      return { items, nextCursor: nextCursor && toCursor(list, { cursor: nextCursor, limit, skip: 0 }) }
    },
    get: async (caller, id) => ask(providerClient, 'getPhoneNumber', await channels.resolve(caller, id), {}),
    profile: async (caller, id) => ask(providerClient, 'getProfile', await channels.resolve(caller, id), {}),
    update: async (caller, id, change) => {
      const channel = await channels.resolve(caller, id)
      providerClient.require('updateProfile', channel)
      // Read first: a read that failed after the change would have to tell of a change that was made as a failure.
      const before = await ask(providerClient, 'getProfile', channel, {})
      await ask(providerClient, 'updateProfile', channel, change)
      await store.write(() =>
        auditEntry(store, caller, 'channel.profile_changed', channel.id, { fields: Object.keys(change) })
      )
      const { profilePictureHandle, ...given } = change
      const { profilePictureUrl, ...rest } = { ...before, ...given }
      const now = { ...rest, ...(profilePictureUrl && profilePictureHandle === undefined && { profilePictureUrl }) }
      const empty = (value: unknown) => value === '' || (Array.isArray(value) && value.length === 0)
      return Object.fromEntries(Object.entries(now).filter(([, value]) => !empty(value)))
    }
  }
}
