import t from 'tap'
import { createWebhookTokens } from '../../src/inbound/tokens.ts'
import { startSandbox } from '../../src/sandbox/index.ts'
import { openStore } from '../../src/store/index.ts'
import { freePort } from '../free-port.ts'
import { cloudSettings, matonKey, startBoard } from '../helper.ts'
import { log } from '../store/embedded.ts'
import { startPostgres } from '../store/postgres.ts'
import { until } from '../until.ts'

// What one replica was told of a channel holds on the others at once: an event that is acknowledged for a channel that another
// replica has just made would else be read as nobody's.

const channels = [
  ['cloud', 'whatsapp-cloud', cloudSettings],
  ['wati', 'wati', {}]
] as const

t.test('two replicas on one PostgreSQL', async t => {
  const cluster = await startPostgres(t)
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
  t.teardown(() => sandbox.close())
  const port = await freePort()
  const env = {
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    DATABASE_URL: cluster.url(await cluster.database()),
    KEY_PEPPER: 'a-pepper-for-both-replicas-0123456789'
  }
  const one = await startBoard(t, { env, sandbox, port })
  const two = await startBoard(t, { env, sandbox })
  for (const [id, provider, settings] of channels)
    await one.call('POST', '/channels', { body: { id, provider, connectionId: `${id}-connection`, settings } })

  await t.test(
    'what is told of a channel that the other has just made, or given another number, is its message',
    async t => {
      const door = (await two.board.app.door.pathOf('cloud', 'live'))!
      const tell = (phone_number_id: string, id: string) => {
        const metadata = { phone_number_id, display_phone_number: '15550783881' }
        const message = { id, from: '14155550100', timestamp: '1795774460', type: 'text', text: { body: id } }
        const value = { messaging_product: 'whatsapp', metadata, messages: [message] }
        const entry = [{ id: cloudSettings.businessAccountId, changes: [{ field: 'messages', value }] }]
        return two.call('POST', door, { key: '', body: { object: 'whatsapp_business_account', entry } })
      }
      const heard = (channel: string, count: number) =>
        until(
          async () => (await one.call('GET', `/messages?channel=${channel}&direction=inbound`)).body.items.length,
          length => length === count
        )
      for (let i = 0; i < 8; i++) {
        const settings = { ...cloudSettings, phoneNumberId: `10654035224310${i}` }
        // It has just looked at what channels there are.
        await two.call('GET', '/channels')
        const made = { id: `new-${i}`, provider: 'whatsapp-cloud', connectionId: 'cloud-connection', settings }
        t.equal((await one.call('POST', '/channels', { body: made })).status, 201)
        t.equal((await tell(settings.phoneNumberId, `wamid.new.${i}`)).status, 200)
        t.equal(await heard(made.id, 1), 1)
        const changed = { ...cloudSettings, phoneNumberId: `10654035224390${i}` }
        await one.call('PATCH', `/channels/${made.id}`, { body: { settings: changed } })
        t.equal((await tell(changed.phoneNumberId, `wamid.changed.${i}`)).status, 200)
        t.equal(await heard(made.id, 2), 2)
      }
    }
  )

  await t.test('an address that one has made is the one that the other tells of', async t => {
    const urls = () => [...sandbox.hooks().values()].flat().map(({ url }) => url)
    for (const [id] of channels)
      for (let i = 0; i < 5; i++) {
        const path = `/channels/${id}/webhooks`
        await one.call('POST', path)
        await two.call('GET', path)
        const { body } = await one.call('POST', `${path}/rotate`, { body: { overlapSeconds: 0 } })
        const told = await two.call('POST', path)
        t.match(told, { status: 200, body: { url: body.url, registered: { atProvider: true } } }, id)
        t.strictSame(urls(), [body.url])
        await one.call('POST', `${path}/rotate`, { body: {} })
        t.equal((await two.call('DELETE', path)).status, 204)
        t.strictSame(urls(), [])
      }
  })
})

t.test('a look at the tokens that began before a rotation does not bring the old one back', async t => {
  const cluster = await startPostgres(t)
  const store = await openStore({ databaseUrl: cluster.url(await cluster.database()), directory: '' }, log)
  t.teardown(() => store.close())
  await store.write(function* () {
    const row = { id: 'c', provider: 'wati', connection_id: 'x', settings: '{}', is_default: 0, paused: 0 }
    yield store.build
      .insertInto('channels')
      .values({ ...row, managed_by: 'api', created_at: 1, updated_at: 1 })
      .compile()
  })
  let answer: (() => void) | undefined
  let held = false
  const read: typeof store.read = async query => {
    const rows = await store.read(query)
    if (held) await new Promise<void>(resolve => (answer = resolve))
    return rows as never
  }
  const tokens = createWebhookTokens(
    { ...store, reserved: { ...store.reserved, read } },
    'a-pepper-for-both-replicas-0123456789'
  )
  const old = (await tokens.current('c', 'live'))!
  held = true
  const guess = tokens.current('c', 'live')
  await until(
    () => answer,
    given => given !== undefined
  )
  held = false
  await tokens.rotate('c', 'live', 0)
  answer!()
  t.not(await guess, old)
  t.equal(await tokens.modeOf('c', old), undefined)
  t.equal(await tokens.modeOf('c', (await tokens.current('c', 'live'))!), 'live')
})
