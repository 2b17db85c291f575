import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { CreateChannel } from '../../schemas/channels.ts'
import { adapters } from '../../src/adapters/index.ts'
import { type Channels, createChannels } from '../../src/channels/channels.ts'
import { registrationQueries } from '../../src/inbound/registrations.ts'
import { createSeal } from '../../src/keys/seal.ts'
import type { Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { caller, changed, failure, message, put, until } from './store-rows.ts'

export const openChannels = (store: Store, believeMs = 0): Channels =>
  createChannels({ store, adapters, believeMs, seal: createSeal('pepper') })
export const admin = caller({ keyId: 'key_admin', scopes: new Set(['admin']) })
export const input = (id: string, changes: Partial<CreateChannel> = {}): CreateChannel => ({
  id,
  provider: 'wati',
  connectionId: 'con-1',
  settings: {},
  ...changes
})
const ids = async (channels: Channels) => (await channels.list(admin)).map(({ id }) => id)
const defaults = async (channels: Channels) =>
  (await channels.list(admin)).filter(channel => channel.default).map(({ id }) => id)

export async function channelsFile(t: Test, content: unknown): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'switchboard-channels-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const path = join(directory, 'channels')
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}
export const declared = (id: string, more = {}) => ({ id, provider: 'wati', connectionId: `con-${id}`, ...more })

/** Channels: made by the API or declared in a file, never both. */
export function channelCases(test: Case): void {
  test('a channel is made, seen, bound, changed and deleted', async (t, { store }) => {
    const channels = openChannels(store)
    const settings = { phoneNumberId: '1', businessAccountId: '2' }
    const made = await channels.create(input('a', { provider: 'whatsapp-cloud', settings }), admin)
    t.match(made, { id: 'a', provider: 'whatsapp-cloud', settings, default: false, paused: false, managedBy: 'api' })
    t.match(await channels.bind('a', 'live'), { id: 'a', connectionId: 'con-1', mode: 'live', settings })
    const changed = await channels.patch('a', { connectionId: 'con-2' }, admin)
    t.match(changed, { connectionId: 'con-2', settings })
    t.match(await channels.bind('a', 'test'), { connectionId: 'con-2', mode: 'test' })
    await channels.remove('a', admin)
    t.strictSame(await ids(channels), [])
    t.equal(await channels.bind('a', 'live'), undefined)
    t.match(await failure(channels.get(admin, 'a')), { code: 'not_found' })
  })

  test('a channel that goes over to another connection or number is not taken for registered', async (t, { store }) => {
    const channels = openChannels(store)
    const { keep, of } = registrationQueries(store)
    const settled = { hook_id: null, url_digest: 'd', fields: null, problem: null, silent_since: null } as const
    const register = (channel_id: string) => {
      const known = { channel_id, mode: 'live', registered: 1, at_provider: 'true' } as const
      return changed(store, keep({ ...known, ...settled, checked_at: 5, registered_at: 5 }))
    }
    const standing = async (channel: string) =>
      (await store.read(of({ channel, mode: 'live' }))).map(({ at_provider }) => at_provider).join()
    await channels.create(input('api'), admin)
    await channels.applyFile(await channelsFile(t, { channels: [declared('f'), declared('same')] }))
    for (const id of ['api', 'f', 'same']) await register(id)
    await channels.patch('api', { connectionId: 'con-1' }, admin)
    t.equal(await standing('api'), 'true', 'CONTROL')
    await channels.patch('api', { connectionId: 'con-2' }, admin)
    t.equal(await standing('api'), 'unknown')
    await channels.applyFile(
      await channelsFile(t, { channels: [declared('f', { connectionId: 'x' }), declared('same')] })
    )
    t.equal(await standing('f'), 'unknown')
    t.equal(await standing('same'), 'true', 'CONTROL')
  })

  test('channels are listed by the bytes of their ids', async (t, { store }) => {
    const channels = openChannels(store)
    const given = ['ab', 'a-b', 'a_b', 'a1', 'b']
    for (const id of given) await channels.create(input(id), admin)
    t.strictSame(await ids(channels), [...given].sort())
  })

  test('a channel that is there already is a conflict, and stays as it was', async (t, { store }) => {
    const channels = openChannels(store)
    await channels.create(input('a'), admin)
    t.match(await failure(channels.create(input('a', { connectionId: 'x' }), admin)), { code: 'conflict' })
    t.match(await channels.get(admin, 'a'), { connectionId: 'con-1' })
  })

  test('a channel that could not be made takes nobody’s default away', async (t, { store }) => {
    const channels = openChannels(store)
    await channels.create(input('a', { default: true }), admin)
    await channels.create(input('b'), admin)
    t.match(await failure(channels.create(input('b', { default: true }), admin)), { code: 'conflict' })
    t.strictSame(await defaults(channels), ['a'])
  })

  test('there is one default: the last that was made so', async (t, { store }) => {
    const channels = openChannels(store)
    await channels.create(input('a', { default: true }), admin)
    await channels.create(input('b', { default: true }), admin)
    t.strictSame(await defaults(channels), ['b'])
    await channels.patch('a', { default: true }, admin)
    t.strictSame(await defaults(channels), ['a'])
    t.equal((await channels.resolve(admin, undefined)).id, 'a')
    await channels.patch('a', { default: false }, admin)
    t.strictSame(await defaults(channels), [])
  })

  test('there is one default also when many are made at once', async (t, { store, replica }) => {
    const stores = [store, ...(replica ? [await replica()] : [])].map(store => openChannels(store))
    for (let round = 0; round < 3; round++) {
      await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          stores[i % stores.length]!.create(input(`c${round}-${i}`, { default: true }), admin)
        )
      )
      t.equal((await defaults(openChannels(store))).length, 1)
    }
  })

  test('of the same channel made many times at once, one is made', async (t, { store }) => {
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => openChannels(store).create(input('a', { connectionId: `con-${i}` }), admin))
    )
    t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  })

  test('settings that do not fit the provider are refused by name', async (t, { store }) => {
    const channels = openChannels(store)
    const error = await failure(
      channels.create(input('a', { provider: 'whatsapp-cloud', settings: { phoneNumberId: 'x', odd: 1 } }), admin)
    )
    t.match(error, { code: 'invalid_request', facts: { errors: Array } })
    t.match(JSON.stringify(error), /phoneNumberId/)
    t.match(JSON.stringify(error), /odd/)
    t.strictSame(await ids(channels), [])
  })

  for (const state of ['queued', 'claimed', 'sending'] as const) {
    test(`a channel with a ${state} message cannot be deleted`, async (t, { store }) => {
      const channels = openChannels(store)
      await channels.create(input('a'), admin)
      const row = await put(store, message({ channel_id: 'a', state }))
      t.match(await failure(channels.remove('a', admin)), { code: 'conflict' })
      t.strictSame(await ids(channels), ['a'])
      await changed(store, store.build.updateTable('messages').set({ state: 'accepted' }).where('id', '=', row.id))
      await channels.remove('a', admin)
      t.strictSame(await ids(channels), [])
    })
  }

  test('a key sees and uses its own channels only', async (t, { store }) => {
    const channels = openChannels(store)
    for (const id of ['a', 'b']) await channels.create(input(id), admin)
    const held = caller({ channels: new Set(['b']) })
    t.match(await channels.list(held), [{ id: 'b' }])
    t.equal((await channels.resolve(held, undefined)).id, 'b')
    t.match(await failure(channels.get(held, 'a')), { code: 'forbidden' })
    t.match(await failure(channels.resolve(held, 'a')), { code: 'forbidden' })
    t.match(await failure(channels.resolve(caller(), undefined)), { code: 'invalid_request' })
  })

  test('a replica learns of a change within its time of belief', async (t, { store, replica }) => {
    if (!replica) return t.pass('this database is of one process')
    const there = openChannels(await replica(), 200)
    t.strictSame(await ids(there), [])
    await openChannels(store).create(input('a'), admin)
    t.ok(await until(async () => (await ids(there)).length === 1, 1500))
  })

  test('a file in JSON or YAML makes its channels', async (t, { store }) => {
    const channels = openChannels(store)
    await channels.applyFile(await channelsFile(t, { channels: [declared('a', { default: true }), declared('b')] }))
    t.match(await channels.list(admin), [
      { id: 'a', managedBy: 'file', default: true, connectionId: 'con-a' },
      { id: 'b', managedBy: 'file', default: false }
    ])
    const yaml = [
      'channels:',
      '  - id: b',
      '    provider: whatsapp-cloud',
      '    connectionId: con-b2',
      '    settings: { phoneNumberId: "1", businessAccountId: "2" }'
    ]
    await channels.applyFile(await channelsFile(t, yaml.join('\n')))
    t.match(await channels.list(admin), [{ id: 'b', provider: 'whatsapp-cloud', connectionId: 'con-b2' }])
    t.strictSame(await ids(channels), ['b'], 'what is declared no longer is gone')
  })

  test('a file leaves the channels of the API, and takes over one it declares', async (t, { store }) => {
    const channels = openChannels(store)
    await channels.create(input('api'), admin)
    await channels.create(input('both', { default: true }), admin)
    await channels.applyFile(await channelsFile(t, { channels: [declared('both')] }))
    t.match(await channels.list(admin), [
      { id: 'api', managedBy: 'api' },
      { id: 'both', managedBy: 'file', connectionId: 'con-both' }
    ])
    await channels.applyFile(await channelsFile(t, { channels: [] }))
    t.strictSame(await ids(channels), ['api'])
  })

  test('the default of a file takes the place of every other', async (t, { store }) => {
    const channels = openChannels(store)
    await channels.create(input('api', { default: true }), admin)
    await channels.applyFile(await channelsFile(t, { channels: [declared('f', { default: true })] }))
    t.strictSame(await defaults(channels), ['f'])
  })

  test('replicas that start together with one file do not collide', async (t, { store, replica }) => {
    const stores = [store, ...(replica ? [await replica(), await replica()] : [])]
    const forth = await channelsFile(t, { channels: ['a', 'b', 'c', 'd'].map(id => declared(id)) })
    const back = await channelsFile(t, { channels: ['d', 'c', 'b', 'a'].map(id => declared(id)) })
    for (let round = 0; round < 4; round++)
      await Promise.all(
        stores.flatMap(store => [openChannels(store).applyFile(forth), openChannels(store).applyFile(back)])
      )
    t.strictSame(await ids(openChannels(store)), ['a', 'b', 'c', 'd'])
  })

  test('what the file declares cannot be changed or deleted by the API', async (t, { store }) => {
    const channels = openChannels(store)
    await channels.applyFile(await channelsFile(t, { channels: [declared('a')] }))
    t.match(await failure(channels.patch('a', { default: true }, admin)), { code: 'conflict' })
    t.match(await failure(channels.remove('a', admin)), { code: 'conflict' })
    t.strictSame(await ids(channels), ['a'])
  })

  test('every fault of a file is named, and nothing of it is applied', async (t, { store }) => {
    const channels = openChannels(store)
    await channels.applyFile(await channelsFile(t, { channels: [declared('kept')] }))
    const wrong = {
      channels: [
        declared('a', { default: true }),
        declared('a', { provider: 'nobody', default: true }),
        declared('c', { provider: 'whatsapp-cloud', settings: { phoneNumberId: '1', odd: true } })
      ]
    }
    const error = await failure(channels.applyFile(await channelsFile(t, wrong)))
    for (const word of ['a is there twice', '/channels/1/provider', 'only one', 'businessAccountId', 'odd'])
      t.ok(error.message.includes(word), word)
    const shape = await failure(
      channels.applyFile(await channelsFile(t, { channels: [{ id: 'A B', odd: 1 }], more: 2 }))
    )
    for (const word of ['/channels/0/id', 'odd', 'more', 'provider', 'connectionId'])
      t.ok(shape.message.includes(word), word)
    t.strictSame(await ids(channels), ['kept'])
  })

  test('a file that is not there, not YAML or empty is told in words', async (t, { store }) => {
    const channels = openChannels(store)
    t.match(await failure(channels.applyFile('/nowhere/channels.yaml')), { message: /CHANNELS_FILE[\s\S]*ENOENT/ })
    t.match(await failure(channels.applyFile(await channelsFile(t, 'a: [1\nb: 2'))), {
      message: /CHANNELS_FILE[\s\S]*line/
    })
    t.match(await failure(channels.applyFile(await channelsFile(t, ''))), { message: /CHANNELS_FILE/ })
  })
}
