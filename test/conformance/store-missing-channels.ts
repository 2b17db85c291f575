import { registrationQueries } from '../../src/inbound/registrations.ts'
import { createWebhookTokens } from '../../src/inbound/tokens.ts'
import { blockKey, blockQueries } from '../../src/messages/blocks.ts'
import { noSuchChannel } from '../../src/store/schema-inbound.ts'
import type { Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { admin, channelsFile, declared, input, openChannels } from './store-channels.ts'
import { changed, message, put, until } from './store-rows.ts'

/** A slip in the channels file costs nothing that cannot be had back (docs/operations.md). */
export function missingChannelCases(test: Case): void {
  const tokenOf = (store: Store) => createWebhookTokens(store, 'pepper').current('shop', 'live')
  const register = (store: Store) =>
    changed(
      store,
      registrationQueries(store).keep({
        ...{ channel_id: 'shop', mode: 'live', registered: 1, at_provider: 'true', hook_id: 'h', url_digest: 'd' },
        ...{ fields: null, problem: null, silent_since: null, checked_at: 5, registered_at: 5 }
      })
    )
  const registered = async (store: Store) => {
    const [row] = await store.read(registrationQueries(store).of({ channel: 'shop', mode: 'live' }))
    return row && { hook: row.hook_id, at: row.at_provider, checked: row.checked_at, since: row.registered_at! > 5 }
  }
  const standing = async (store: Store) =>
    (await store.read(blockQueries(store).all({})))
      .filter(({ key }) => key === blockKey.channel('shop'))
      .map(({ detail }) => detail)
      .join()

  test('one that is back has the address, the registration and the messages that it had', async (t, { store }) => {
    const channels = openChannels(store)
    const whole = await channelsFile(t, { channels: [declared('shop'), declared('office')] })
    const part = await channelsFile(t, { channels: [declared('office')] })
    t.strictSame(await channels.applyFile(whole), [])
    const [token, { createdAt }] = [await tokenOf(store), await channels.get(admin, 'shop')]
    await register(store)
    const kept = (id: string, reason: string | null) =>
      changed(
        store,
        store.build.insertInto('webhooks').values({
          ...{ id, channel_id: 'shop', mode: 'live', received_at: 5, headers: '{}', sha256: id, size: 2 },
          ...{ state: 'set_aside', reason, position: 0, tries: 0 }
        })
      )
    await kept('whk_1', noSuchChannel)
    await kept('whk_2', 'something else')

    t.equal(await channels.degraded(), null)
    t.strictSame(await channels.applyFile(part), ['shop'])
    t.strictSame(await channels.applyFile(part), [], 'told once')
    t.equal(await tokenOf(store), undefined, 'nobody knows its address meanwhile')
    t.equal(await registered(store), undefined)
    t.match(await standing(store), /shop is missing in the channels file/, 'its messages wait')
    t.equal(await channels.isMissing('shop'), true)
    t.equal(await channels.degraded(), null, 'and nobody for it')
    await put(store, message({ channel_id: 'shop' }))
    t.match(await channels.degraded(), /wait for the channel shop/)

    await channels.applyFile(whole)
    t.equal(await tokenOf(store), token)
    t.equal((await channels.get(admin, 'shop')).createdAt, createdAt)
    t.strictSame(
      await registered(store),
      { hook: 'h', at: 'unknown', checked: 0, since: true },
      'it is asked about, and was not heard meanwhile'
    )
    t.strictSame(
      [await standing(store), await channels.isMissing('shop'), await channels.degraded()],
      ['', false, null]
    )
    const states = store.build.selectFrom('webhooks').select(['id', 'state']).orderBy('id').compile()
    t.strictSame(
      (await store.read(states)).map(({ id, state }) => `${id} ${state}`),
      ['whk_1 waiting', 'whk_2 set_aside'],
      'what came for it is read, and nothing else'
    )
  })

  test('one of the same name that hears another number is a new one', async (t, { store }) => {
    const channels = openChannels(store)
    const without = await channelsFile(t, { channels: [] })
    const [first, other] = await Promise.all(
      ['one', 'two'].map(connectionId => channelsFile(t, { channels: [declared('shop', { connectionId })] }))
    )
    await channels.applyFile(first!)
    const token = await tokenOf(store)
    await register(store)
    await channels.applyFile(without)
    const now = store.clock()
    await until(async () => store.clock() > now)
    await channels.applyFile(other!)
    t.not(await tokenOf(store), token)
    t.equal(await registered(store), undefined)
    t.equal(await standing(store), '')

    await channels.applyFile(without)
    await channels.create(input('shop', { connectionId: 'two' }), admin)
    t.equal(await standing(store), '', 'nor is one that is made by the API stopped')
    t.equal(await channels.isMissing('shop'), false)
  })

  test('a stop of an operator’s outlasts it', async (t, { store }) => {
    const channels = openChannels(store)
    const whole = await channelsFile(t, { channels: [declared('shop')] })
    await channels.applyFile(whole)
    await channels.pause('shop', true, admin)
    await channels.applyFile(await channelsFile(t, { channels: [] }))
    await channels.applyFile(whole)
    t.equal((await channels.get(admin, 'shop')).paused, true)
    t.match(await standing(store), /is paused/)
  })
}
