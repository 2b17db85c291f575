import t from 'tap'
import { operator as elsewhere, fieldValue, signedIn } from '../console.ts'
import { startBoard, until } from '../helper.ts'
import { startPostgres } from '../store/postgres.ts'

t.test('the figures and the page are the same on PostgreSQL; a session of one replica counts on the other', async t => {
  const cluster = await startPostgres(t)
  const env = { DATABASE_URL: cluster.url(await cluster.database()), KEY_PEPPER: 'p'.repeat(32) }
  const one = await startBoard(t, { env })
  const two = await startBoard(t, { env, directory: one.directory, sandbox: one.sandbox })
  const text = (to: string, channel: string) => ({ channel, to, type: 'text', text: { body: 'Hello' } })
  for (const to of ['14155550001', '15550100017', '15550100003'])
    await one.call('POST', '/messages', { body: text(to, 'cloud') })
  await one.call('POST', '/channels/wati/pause')
  await one.call('POST', '/messages', { body: text('14155550001', 'wati'), headers: { prefer: 'respond-async' } })
  // A replica knows within two seconds what another has changed of a channel.
  const [cloud, wati] = await until(
    async () => (await two.call('GET', '/overview')).body.channels,
    ([, { paused }]) => paused
  )
  t.match([cloud.unknown.open, wati.waiting], [1, 1])
  t.equal(cloud.accepted.lastHour, (await one.call('GET', '/messages?status=accepted')).body.items.length)
  t.match((await two.call('GET', '/backlog')).body, { waiting: 1, items: [{ channel: 'wati', due: 1 }] })
  const [sent] = (await one.call('GET', '/messages?status=accepted')).body.items
  const found = await two.call('GET', `/messages?providerMessageId=${encodeURIComponent(sent.providerMessageId)}`)
  t.equal(found.body.items[0].id, sent.id)

  const operator = await signedIn(one)
  const other = elsewhere(two)
  other.setCookie(operator.cookie())
  const page = await other.get('/console')
  t.equal(page.status, 200)
  await operator.post('/console/sign-out', { token: fieldValue(page.text, 'token') })
  t.equal((await other.get('/console')).status, 401, 'signed out on both')
})
