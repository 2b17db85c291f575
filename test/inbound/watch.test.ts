import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { startSandbox } from '../../src/sandbox/index.ts'
import { freePort } from '../free-port.ts'
import { type Board, cloudSettings, matonKey, startBoard } from '../helper.ts'
import { until } from '../until.ts'

// The silence that nobody notices for weeks is noticed (docs/api.md 12): each start looks at once, and rows are set back between.

const minute = 60_000
const channels = ['cloud', 'wati'] as const
type Channel = (typeof channels)[number]

/** A server that can be stopped, aged and started again, with both channels registered at the providers. */
async function open(t: Test) {
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
  t.teardown(() => sandbox.close())
  const directory = t.testdir()
  const port = await freePort()
  const start = () => startBoard(t, { sandbox, directory, port, env: { PUBLIC_URL: `http://127.0.0.1:${port}` } })
  let board: Board = await start()
  for (const [id, provider, settings] of [
    ['cloud', 'whatsapp-cloud', cloudSettings],
    ['wati', 'wati', {}]
  ] as const) {
    await board.call('POST', '/channels', { body: { id, provider, connectionId: `${id}-connection`, settings } })
    await board.call('POST', `/channels/${id}/webhooks`)
  }
  const call: Board['call'] = (...of) => board.call(...of)
  return {
    sandbox,
    call,
    log: () => board.log.join(''),
    /** What its watch and its people see after the database was changed while it was away. */
    again: async (...changes: string[]) => {
      await board.close()
      const db = new DatabaseSync(join(directory, 'switchboard.db'))
      for (const change of changes) db.exec(change)
      db.close()
      board = await start()
    },
    webhooks: async (channel: Channel) => (await call('GET', `/channels/${channel}/webhooks`)).body,
    health: async () => (await call('GET', '/readyz', { key: '' })).body as { status: string; reason?: string },
    /** Sends, and waits until the provider has told that it was read. */
    heard: async (channel: Channel) => {
      const body = { channel, to: '+14155551234', type: 'text', text: { body: 'Hello' } }
      const { id } = (await call('POST', '/messages', { body })).body
      await until(
        async () => (await call('GET', `/messages/${id}`)).body.status,
        status => status === 'read'
      )
    }
  }
}
const ago = (minutes: number): number => Date.now() - minutes * minute
/** What was accepted, and when the channel last told of a status. */
const aged = (channel: Channel, accepted: number, told: number): string[] => [
  `update messages set accepted_at = ${ago(accepted)} where channel_id = '${channel}'`,
  `update webhook_lanes set status_at = ${ago(told)} where channel_id = '${channel}'`,
  'update webhook_registrations set registered_at = 1'
]
const looked = `update webhook_registrations set checked_at = ${ago(11)}`

for (const channel of channels)
  t.test(`${channel}: a quarter of an hour of messages and no word of any is told; one word ends it`, async t => {
    const { again, call, webhooks, health, heard, log } = await open(t)
    await heard(channel)
    t.strictSame(await health(), { status: 'ok', mode: 'live' })

    await again(...aged(channel, 14, 30))
    t.equal((await webhooks(channel)).silentSince, undefined, 'CONTROL: 14 minutes are no silence')
    await again(...aged(channel, 16, 15))
    t.equal((await webhooks(channel)).silentSince, undefined, 'CONTROL: nor is a word after it was accepted')

    const since = ago(16)
    await again(...aged(channel, 16, 30))
    const silent = await until(
      () => webhooks(channel),
      ({ silentSince }) => silentSince !== undefined
    )
    t.ok(Math.abs(Date.parse(silent.silentSince) - since) < minute, 'since the first message that nothing was told of')
    t.match(await health(), { status: 'degraded', reason: new RegExp(`nothing is heard of ${channel}: see GET`) })
    t.match(log(), 'webhooks are silent')
    const told = async () => (await call('GET', `/events?type=channel.silent&channel=${channel}`)).body.items
    t.match(await told(), [{ data: { id: channel, silentSince: silent.silentSince } }])
    const other = channels.find(each => each !== channel)!
    t.equal((await webhooks(other)).silentSince, undefined, 'the other channel is not')

    await heard(channel)
    await again()
    await until(
      () => webhooks(channel),
      ({ silentSince }) => silentSince === undefined
    )
    t.strictSame(await health(), { status: 'ok', mode: 'live' })
    t.match(log(), 'webhooks are heard again')
    t.match((await told()).at(-1), { data: { id: channel, silentSince: null } })
    t.equal((await told()).length, 2)
  })

t.test('a channel that was set up by hand is watched once it has told of a status', async t => {
  const { again, call, webhooks, health, heard, log } = await open(t)
  await heard('cloud')
  await call('DELETE', '/channels/cloud/webhooks')
  // What the provider was told by hand goes to our address all the same.
  await again(...aged('cloud', 16, 30))
  await heard('wati')
  await again()
  t.equal((await webhooks('cloud')).silentSince, undefined, 'CONTROL: what was taken away is not waited for')
  t.strictSame(await health(), { status: 'ok', mode: 'live' })

  const byHand = `delete from webhook_registrations where channel_id = 'cloud'`
  await again(byHand, ...aged('cloud', 14, 30))
  t.equal((await webhooks('cloud')).silentSince, undefined, 'CONTROL: 14 minutes are no silence')
  await again(...aged('cloud', 16, 30))
  const silent = await until(
    () => webhooks('cloud'),
    ({ silentSince }) => silentSince !== undefined
  )
  t.match(silent, { mode: 'token', registered: { atProvider: 'unknown', checkedAt: null } })
  t.match(await health(), { status: 'degraded', reason: /nothing is heard of cloud: see GET/ })
  t.match(log(), 'webhooks are silent')
  t.match(
    (await call('GET', '/events?type=channel.silent&channel=cloud')).body.items.map(({ data }: never) => data),
    [{ id: 'cloud', silentSince: silent.silentSince, problem: null }],
    'once'
  )
  await again(`update webhook_lanes set status_at = ${Date.now()} where channel_id = 'cloud'`)
  await until(
    () => webhooks('cloud'),
    ({ silentSince }) => silentSince === undefined
  )
  t.strictSame(await health(), { status: 'ok', mode: 'live' })

  await again(...aged('cloud', 16, 30))
  await until(health, ({ status }) => status === 'degraded')
  const told = async () => (await call('GET', '/events?type=channel.silent&channel=cloud')).body.items
  const before = (await told()).length
  t.equal((await call('DELETE', '/channels/cloud/webhooks')).status, 204)
  t.strictSame(await health(), { status: 'ok', mode: 'live' }, 'nothing is expected any more')
  t.match((await told()).at(-1).data, { silentSince: null }, 'and whoever follows events knows')
  t.equal((await told()).length, before + 1)
  await heard('wati')
  await again()
  t.equal((await webhooks('cloud')).silentSince, undefined, 'it is left alone')

  const takenAway = (hours: number) =>
    `update webhook_registrations set checked_at = ${ago(60 * hours)} where channel_id = 'cloud'`
  await again(takenAway(23), ...aged('cloud', 16, 30))
  await heard('wati')
  await again()
  t.equal((await webhooks('cloud')).silentSince, undefined, 'a provider may tell late what it could not before')
  await again(takenAway(25), ...aged('cloud', 16, 30))
  await until(health, ({ status }) => status === 'degraded')
  await call('DELETE', '/channels/cloud')
  t.strictSame(await health(), { status: 'ok', mode: 'live' }, 'one that is deleted is not waited for')
})

t.test('a status of another number says nothing of the channel’s own messages', async t => {
  const { again, webhooks, heard } = await open(t)
  await heard('cloud')
  await again(...aged('cloud', 14, 30))
  const { url, lastStatusAt } = await webhooks('cloud')
  for (const phone_number_id of ['106540352249999', cloudSettings.phoneNumberId]) {
    const status = { id: 'wamid.x', status: 'sent', timestamp: '1795774460', recipient_id: '14155551234' }
    const value = { messaging_product: 'whatsapp', metadata: { phone_number_id }, statuses: [status] }
    const entry = [{ id: cloudSettings.businessAccountId, changes: [{ field: 'messages', value }] }]
    const before = (await webhooks('cloud')).lastHeardAt
    await request(url, { method: 'POST', body: JSON.stringify({ object: 'whatsapp_business_account', entry }) })
    const after = await until(
      () => webhooks('cloud'),
      ({ lastHeardAt }) => lastHeardAt !== before
    )
    if (phone_number_id === cloudSettings.phoneNumberId) t.not(after.lastStatusAt, lastStatusAt, 'CONTROL: its own')
    else t.equal(after.lastStatusAt, lastStatusAt)
  }
})

t.test('a webhook that WATI has switched off is found, and registering it again mends it', async t => {
  const { sandbox, again, webhooks, health, heard, call } = await open(t)
  await again(looked)
  t.match(await webhooks('wati'), { registered: { atProvider: true }, silentSince: undefined }, 'CONTROL: it works')
  const hooks = () => [...sandbox.hooks()].filter(([key]) => key.startsWith('tenant/')).flatMap(([, hooks]) => hooks)
  for (const hook of hooks()) hook.status = 2
  await again(looked)
  const found = await until(
    () => webhooks('wati'),
    ({ silentSince }) => silentSince !== undefined
  )
  t.match(found.registered, { atProvider: false, problem: /switched the webhook off.*register it again/ })
  t.match(await health(), { status: 'degraded', reason: /wati/ })
  t.match((await call('POST', '/channels/wati/webhooks')).body, { registered: { atProvider: true } })
  t.match(
    hooks().map(({ status }) => status),
    [1],
    'one, and it works'
  )
  t.strictSame(await health(), { status: 'ok', mode: 'live' })
  await heard('wati')
})

t.test('an override that somebody has put in the place of ours is found, and ours put back', async t => {
  const { sandbox, again, webhooks, health, heard, call } = await open(t)
  const number = `number/${cloudSettings.phoneNumberId}`
  const [ours] = sandbox.hooks().get(number)!
  const { url } = ours!
  ours!.url = 'https://somebody.example/hook?secret=theirs'
  await again(looked)
  const found = await until(
    () => webhooks('cloud'),
    ({ silentSince }) => silentSince !== undefined
  )
  t.match(found.registered, { atProvider: false, problem: /another address than ours, at somebody\.example/ })
  t.notMatch(JSON.stringify(found), 'theirs', 'somebody else’s secret is not shown')
  t.match(await health(), { status: 'degraded', reason: /cloud/ })
  await call('POST', '/channels/cloud/webhooks')
  t.equal(sandbox.hooks().get(number)![0]!.url, url)
  t.strictSame(await health(), { status: 'ok', mode: 'live' })
  await heard('cloud')
})

t.test('an override that is gone is found', async t => {
  const { sandbox, again, webhooks } = await open(t)
  ;(sandbox.hooks() as Map<string, unknown>).delete(`number/${cloudSettings.phoneNumberId}`)
  await again(looked)
  const { registered } = await until(
    () => webhooks('cloud'),
    ({ silentSince }) => silentSince !== undefined
  )
  t.match(registered, { atProvider: false, problem: /calls no address/ })
})
