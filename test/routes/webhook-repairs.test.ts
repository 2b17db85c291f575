import { createServer, request } from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { startSandbox } from '../../src/sandbox/index.ts'
import { freePort } from '../free-port.ts'
import { cloudSettings, matonKey, startBoard } from '../helper.ts'
import { until } from '../until.ts'

// What is left behind by acts that a provider did not follow is found and taken away by the next one.

const path = (channel: string) => `/channels/${channel}/webhooks`
const channels = [
  ['cloud', 'whatsapp-cloud', cloudSettings],
  ['wati', 'wati', {}]
] as const
const telling = { cloud: 'cloud.setNumberWebhook', wati: 'wati.createWebhookEndpoints' } as const

/** A server whose provider is behind a gate, and can be found there again after a restart. */
async function open(t: Test) {
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
  t.teardown(() => sandbox.close())
  const { hostname, port: behind } = new URL(sandbox.url)
  const gate: { missing?: RegExp; hold?: Promise<void>; held: number } = { held: 0 }
  const server = createServer((incoming, outgoing) => {
    const pass = async () => {
      if (gate.missing?.test(incoming.url!)) {
        incoming.resume()
        outgoing.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"Not Found"}')
        return
      }
      if (gate.hold && incoming.method === 'GET') {
        gate.held++
        await gate.hold
      }
      const { method, url, headers } = incoming
      const onward = request({ host: hostname, port: behind, method, path: url, headers }, answer => {
        outgoing.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(outgoing)
      })
      onward.on('error', () => outgoing.destroy())
      incoming.pipe(onward)
    }
    void pass()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const upstream = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  const port = await freePort()
  const directory = t.testdir()
  const start = (publicUrl: string) =>
    startBoard(t, { sandbox, directory, port, env: { PUBLIC_URL: publicUrl, MATON_BASE_URL: upstream } })
  let board = await start(`http://127.0.0.1:${port}`)
  for (const [id, provider, settings] of channels)
    await board.call('POST', '/channels', { body: { id, provider, connectionId: `${id}-connection`, settings } })
  return {
    sandbox,
    gate,
    call: ((...of) => board.call(...of)) as typeof board.call,
    log: () => board.log.join(''),
    again: async (publicUrl = `http://127.0.0.1:${port}`, ...changes: string[]) => {
      await board.close()
      const db = new DatabaseSync(join(directory, 'switchboard.db'))
      for (const change of changes) db.exec(change)
      db.close()
      board = await start(publicUrl)
    },
    urls: () => [...sandbox.hooks().values()].flat().map(({ url }) => url)
  }
}

for (const [id] of channels) {
  t.test(
    `${id}: what the provider still calls after a refused rotation, or by another PUBLIC_URL, is taken away`,
    async t => {
      const { call, urls, sandbox, again } = await open(t)
      const { url } = (await call('POST', path(id))).body
      sandbox.force({ operation: telling[id], fault: 'throttled', times: 1 })
      t.equal((await call('POST', `${path(id)}/rotate`, { body: { overlapSeconds: 0 } })).status, 429)
      t.strictSame(urls(), [url], 'CONTROL')
      const answer = await call('POST', new URL(url).pathname, { key: '', body: '{}' })
      t.equal(answer.status, 200, 'it loses nothing: the one before counts for a while')
      t.equal((await call('DELETE', path(id))).status, 204)
      t.strictSame(urls(), [])
      await call('POST', path(id))
      await again('http://localhost:1')
      t.equal((await call('DELETE', path(id))).status, 204)
      t.strictSame(urls(), [])
    }
  )

  t.test(`${id}: a look that is under way while the address is rotated says nothing of the new one`, async t => {
    const { call, urls, gate, again } = await open(t)
    await call('POST', path(id))
    const held = Promise.withResolvers<void>()
    gate.hold = held.promise
    await again(undefined, 'update webhook_registrations set checked_at = 1')
    await until(
      () => gate.held,
      count => count > 0
    )
    const rotating = call('POST', `${path(id)}/rotate`, { body: { overlapSeconds: 60 } })
    delete gate.hold
    held.resolve()
    const { body } = await rotating
    t.match(body.registered, { atProvider: true })
    const after = (await call('GET', path(id))).body
    t.match(after, { url: body.url, registered: { atProvider: true, problem: undefined } })
    t.strictSame(urls(), [body.url])
    t.strictSame((await call('GET', '/events?type=channel.silent')).body.items, [])
  })

  t.test(`${id}: one that is silent although the provider has our address is told once more`, async t => {
    const { call, urls, sandbox, again } = await open(t)
    const { url } = (await call('POST', path(id))).body
    const body = { channel: id, to: '+14155551234', type: 'text', text: { body: 'Hello' } }
    const sent = (await call('POST', '/messages', { body })).body
    await until(
      async () => (await call('GET', `/messages/${sent.id}`)).body.status,
      status => status === 'read'
    )
    await again(
      undefined,
      'update messages set accepted_at = accepted_at - 1200000',
      'update webhook_lanes set status_at = null',
      'update webhook_registrations set registered_at = 1'
    )
    await until(
      async () => (await call('GET', path(id))).body.silentSince,
      since => typeof since === 'string'
    )
    const calls = () => sandbox.ledger.entries.filter(({ operation }) => operation === telling[id]).length
    const before = calls()
    t.match((await call('POST', path(id))).body.registered, { atProvider: true })
    t.equal(calls(), before + 1)
    t.strictSame(urls(), [url])
    await call('POST', path(id))
    t.equal(calls(), before + 1, 'CONTROL: one that is heard is not')
  })
}

t.test('wati: an address whose telling nobody heard the answer of goes with the next rotation', async t => {
  const { call, urls, sandbox } = await open(t)
  await call('POST', path('wati'))
  sandbox.force({ operation: telling.wati, fault: 'reset_after', times: 1 })
  t.equal((await call('POST', `${path('wati')}/rotate`, { body: {} })).status, 504)
  const { body } = await call('POST', `${path('wati')}/rotate`, { body: {} })
  t.strictSame(urls(), [body.url])
})

t.test('wati: where it has neither the list nor the deletion, that is told and stops nothing', async t => {
  const { call, urls, gate, log } = await open(t)
  gate.missing = /\/api\/ext\/v3\//
  await call('POST', path('wati'))
  t.equal((await call('POST', `${path('wati')}/rotate`, { body: {} })).status, 200)
  t.equal(urls().length, 2, 'CONTROL: it cannot be taken away')
  t.match(log(), /no call that takes an address away\. By hand: delete/)
  t.equal((await call('DELETE', path('wati'))).status, 204)
  t.match((await call('GET', path('wati'))).body.registered, { atProvider: 'unknown' })
})

t.test('a channel that goes over to another number is not taken for registered', async t => {
  const { call } = await open(t)
  await call('POST', path('cloud'))
  const registered = async () => (await call('GET', path('cloud'))).body.registered
  await call('PATCH', '/channels/cloud', { body: { settings: { ...cloudSettings, verifyToken: 'a-word-of-our-own' } } })
  t.match(await registered(), { atProvider: true }, 'CONTROL')
  await call('PATCH', '/channels/cloud', { body: { settings: { ...cloudSettings, phoneNumberId: '106540352242999' } } })
  t.match(await registered(), { atProvider: 'unknown', problem: /register it again/ })
})
