import { pino } from 'pino'
import t from 'tap'
import { adapters } from '../../src/adapters/index.ts'
import { createChannels } from '../../src/channels/channels.ts'
import { createHistory } from '../../src/contacts/history.ts'
import { createProviderClient } from '../../src/dispatch/provider-client.ts'
import { createSeal } from '../../src/keys/seal.ts'
import { createRemoteMedia } from '../../src/media/remote.ts'
import { fallbackOf } from '../../src/messages/fallback.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { createMetrics } from '../../src/metrics.ts'
import { openStore } from '../../src/store/index.ts'
import { openAdmission } from '../admission.ts'
import { caller, changed, get, message, put } from '../conformance/store-rows.ts'
import { cloudSettings } from '../helper.ts'

const log = pino({ level: 'silent' })
const hour = 3600_000

t.test(
  'Cloud: the window is open for 24 hours after the contact last wrote; closed only where a whole window was heard',
  async t => {
    const store = await openStore({ directory: t.testdir() }, log)
    t.teardown(() => store.close())
    const upstream = () => {
      throw new Error('nobody is asked')
    }
    const providerClient = createProviderClient({
      admission: openAdmission,
      adapters,
      upstream,
      log,
      metrics: createMetrics()
    })
    const channels = createChannels({ store, adapters, seal: createSeal('pepper') })
    await channels.create({ id: 'cloud', provider: 'whatsapp-cloud', connectionId: 'c', settings: cloudSettings }, null)
    const remote = createRemoteMedia({
      ...{ store, providerClient, bind: channels.bind, sandboxed: () => false, directory: '' },
      egress: () => Promise.reject(new Error('nothing is fetched'))
    })
    const history = createHistory({
      store,
      providerClient,
      channels,
      queries: messageQueries(store),
      remote,
      typeBase: ''
    })
    const wrote = (contact: string, at: number, changes = {}) =>
      put(
        store,
        message({ channel_id: 'cloud', direction: 'inbound', service: '', contact, created_at: at, ...changes })
      )
    const windowOf = (contact: string) => history.window(caller(), contact, 'cloud')
    const closes = (at: number) => new Date(at + 24 * hour).toISOString()

    const now = Date.now()
    await wrote('14155550001', now - 30 * hour)
    await wrote('14155550001', now - hour)
    await wrote('14155550002', now - 25 * hour)
    await wrote('14155550003', now, { direction: 'outbound', service: 'billing' })
    await wrote('14155550004', now, { mode: 'test' })
    await wrote('14155550005', now, { channel_id: 'other' })
    t.strictSame(await windowOf('14155550001'), { open: true, closesAt: closes(now - hour) })
    for (const contact of ['14155550002', '14155550003', '14155550004', '14155550005', '14155550006'])
      t.strictSame(await windowOf(contact), { open: 'unknown' }, `${contact}: nothing is heard`)

    const heard = (changes: object) =>
      store.write(function* () {
        yield store.build.deleteFrom('webhook_registrations').compile()
        const row = { channel_id: 'cloud', mode: 'live' as const, hook_id: null, registered: 1, fields: null }
        const told = { at_provider: 'true' as const, problem: null, checked_at: now, silent_since: null }
        yield store.build
          .insertInto('webhook_registrations')
          .values({ ...row, ...told, registered_at: now - 24 * hour, ...changes })
          .compile()
      })
    await heard({})
    t.strictSame(await windowOf('14155550001'), { open: true, closesAt: closes(now - hour) })
    const refused = async (contact: string, created_at: number, code = 'window_closed') => {
      const { id } = await put(store, message({ channel_id: 'cloud', contact, created_at }))
      const error = JSON.stringify({ title: '', code })
      await changed(store, store.build.updateTable('messages').set({ error, state: 'failed' }).where('id', '=', id))
    }
    await refused('14155550001', now - 2 * hour)
    await refused('14155550001', now - hour / 2, 'recipient_unreachable')
    t.match(await windowOf('14155550001'), { open: true }, 'CONTROL: refused before the person wrote, or otherwise')
    await wrote('14155550007', now - hour)
    await refused('14155550007', now - hour / 2)
    t.strictSame(await windowOf('14155550007'), { open: false }, 'WhatsApp has said so since')
    await wrote('14155550008', now - hour)
    const { id } = await put(
      store,
      message({ channel_id: 'cloud', contact: '14155550008', created_at: now - hour / 2 })
    )
    const fallen = fallbackOf({
      ...(await get(store, id)),
      options: '{"fallback":{"template":{"name":"order_update"}}}'
    })!
    const { type, content, options, warnings } = fallen.row
    const state = 'accepted' as const
    const changes = { type, content, options, warnings, state }
    await changed(store, store.build.updateTable('messages').set(changes).where('id', '=', id))
    t.strictSame(await windowOf('14155550008'), { open: false }, 'also where a template went instead')
    await wrote('14155550007', now)
    t.match(await windowOf('14155550007'), { open: true }, 'until the person writes again')
    t.strictSame(await windowOf('14155550002'), { open: false, closesAt: closes(now - 25 * hour) })
    t.strictSame(await windowOf('14155550006'), { open: false }, 'who has not written while all was heard')
    for (const changes of [{ registered_at: now - 23 * hour }, { silent_since: now }, { mode: 'test' as const }]) {
      await heard(changes)
      for (const contact of ['14155550002', '14155550006'])
        t.strictSame(await windowOf(contact), { open: 'unknown' }, `${contact} ${Object.keys(changes)}`)
      t.match(await windowOf('14155550001'), { open: true }, 'what was written was written')
    }
  }
)
