import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { keepLiveFromSandbox } from '../../src/dispatch/sandbox-mode.ts'
import { startBoard, until } from '../helper.ts'

const text = (channel: string) => ({ channel, to: '+14155551234', type: 'text', text: { body: 'Hello' } })

t.test('live messages of a store never go to the sandbox, and a live key sends nothing', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-sandbox-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const live = await startBoard(t, { directory })
  const settings = { phoneNumberId: '106540352242922', businessAccountId: '102290129340398' }
  await live.call('POST', '/channels', {
    body: { id: 'cloud', provider: 'whatsapp-cloud', connectionId: 'c', settings }
  })
  await live.call('POST', '/channels/cloud/pause')
  const { id } = (await live.call('POST', '/messages', { body: text('cloud') })).body
  const second = (await live.call('POST', '/messages', { body: text('cloud') })).body.id
  await live.close()

  const without = { MATON_API_KEY: undefined, SANDBOX: '1' } as unknown as Record<string, string>
  const board = await startBoard(t, { directory, env: without })
  t.match((await board.call('GET', '/readyz')).body, { status: 'ok', mode: 'sandbox' })
  await board.call('POST', '/channels/cloud/resume')
  const key = await board.key({ mode: 'test' })
  for (let round = 0; round < 3; round++) {
    const sent = (await board.call('POST', '/messages', { key, body: text('cloud') })).body
    await until(
      async () => (await board.call('GET', `/messages/${sent.id}`, { key })).body.status,
      status => status !== 'queued' && status !== 'sending'
    )
  }
  t.match(
    (await board.call('GET', `/messages/${id}`)).body,
    { status: 'queued', attempts: 0 },
    'it waits for its account'
  )

  const outward: [method: string, path: string, body?: unknown][] = [
    ['POST', '/messages', text('cloud')],
    ['POST', '/messages/validate', text('cloud')],
    [
      'POST',
      '/broadcasts',
      { channel: 'cloud', name: 'x', template: { name: 'hello' }, recipients: [{ to: '+14155551234' }] }
    ],
    ['PATCH', '/contacts/14155551234?channel=cloud', { name: 'Ann' }],
    ['POST', '/templates?channel=cloud', {}],
    ['POST', '/channels/cloud/native/v24.0/106540352242922/messages', {}]
  ]
  for (const [method, path, body] of outward) {
    const answer = await board.call(method, path, { body })
    t.match(
      answer,
      { status: 403, body: { code: 'forbidden', detail: /sandbox mode.*MATON_API_KEY.*mode test/ } },
      path
    )
  }
  for (const path of [
    '/messages',
    '/keys',
    '/channels',
    '/templates?channel=cloud',
    '/channels/cloud/health',
    '/audit'
  ])
    t.equal((await board.call('GET', path)).status, 200, `a live key reads ${path}`)
  t.equal(
    (await board.call('POST', '/keys', { body: { service: 's', mode: 'live', scopes: ['messages:send'] } })).status,
    201
  )
  t.match(
    (await board.call('POST', `/messages/${second}/cancel`)).body,
    { status: 'canceled' },
    'what only stops is done'
  )
  await board.close()

  const again = await startBoard(t, { directory })
  const settled = await until(
    async () => (await again.call('GET', `/messages/${id}`)).body,
    message => message.status !== 'queued'
  )
  t.not(settled.status, 'canceled', 'CONTROL: with an account it goes')
})

t.test('no live call passes to the sandbox but what a caller reads by', async t => {
  const channel = { id: 'c', provider: 'wati', connectionId: 'x', settings: {}, mode: 'live' as const }
  const refused = { code: 'forbidden' }
  t.throws(() => keepLiveFromSandbox('sendMessage', { ...channel, service: 'shop' }), refused)
  t.throws(() => keepLiveFromSandbox('createTemplate', { ...channel, service: 'shop' }), refused)
  t.throws(() => keepLiveFromSandbox('listTemplates', channel), refused, 'nobody asks: the background looks for proof')
  t.doesNotThrow(() => keepLiveFromSandbox('listTemplates', { ...channel, service: 'shop' }))
  t.doesNotThrow(() => keepLiveFromSandbox('sendMessage', { ...channel, mode: 'test' }))
})
