import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { messageTypes } from '../../schemas/content.ts'
import { startSandbox } from '../../src/sandbox/index.ts'
import { type Board, cloudSettings, matonKey, startBoard } from '../helper.ts'

const text = (channel: string) => ({ channel, to: '14155551234', type: 'text', text: { body: 'Hello' } })
const channel = (more: object = {}) => ({
  id: 'support',
  provider: 'whatsapp-cloud',
  connectionId: 'c-1',
  settings: cloudSettings,
  ...more
})
const create = (board: Board, more: object = {}) => board.call('POST', '/channels', { body: channel(more) })
const paths = (answer: { body: { errors?: { path: string }[] } }) =>
  (answer.body.errors ?? []).map(each => each.path).sort()

t.test('a channel is made, shown, changed and deleted', async t => {
  const board = await startBoard(t)
  const made = await create(board)
  t.equal(made.status, 201)
  t.equal(made.headers.location, '/channels/support')
  t.match(made.body, { ...channel(), default: false, paused: false, managedBy: 'api', warnings: [] })
  t.strictSame((await board.call('GET', '/channels/support')).body, made.body)
  t.match(await create(board), { status: 409, body: { code: 'conflict' } }, 'an id is taken once')
  const patched = await board.call('PATCH', '/channels/support', {
    body: { connectionId: 'c-2', settings: { ...cloudSettings, graphVersion: 'v21.0' } }
  })
  t.match(
    patched.body,
    { connectionId: 'c-2', settings: { graphVersion: 'v21.0' }, warnings: [/v21\.0 ends on 2027-01-21/] },
    'a version that ends soon is warned of'
  )
  t.equal((await board.call('POST', '/messages', { body: text('support') })).status, 201)
  const seen = board.sandbox.ledger.entries.at(-1)!
  t.match([seen.path, seen.headers['maton-connection']], [/\/v21\.0\//, 'c-2'], 'the very next send goes by it')
  const later = { ...text('support'), sendAt: new Date(Date.now() + 3600_000).toISOString() }
  const waiting = await board.call('POST', '/messages', { body: later })
  t.match(await board.call('DELETE', '/channels/support'), { status: 409, body: { detail: /not settled/ } })
  await board.call('POST', `/messages/${waiting.body.id}/cancel`)
  t.equal((await board.call('DELETE', '/channels/support')).status, 204)
  for (const [method, body] of [['GET'], ['PATCH', { default: true }], ['DELETE']] as const)
    t.equal((await board.call(method, '/channels/support', body ? { body } : {})).status, 404)
  t.equal((await board.call('POST', '/messages', { body: text('support') })).status, 404)
  t.equal((await board.call('GET', `/messages/${waiting.body.id}`)).status, 200, 'its messages stay')
})

t.test('settings are checked by the provider’s own rules, every fault by name', async t => {
  const board = await startBoard(t)
  for (const [more, wrong] of [
    [{ settings: {} }, ['/settings/businessAccountId', '/settings/phoneNumberId']],
    [
      { settings: { phoneNumberId: 'x', businessAccountId: 7, colour: 'red' } },
      ['/settings/businessAccountId', '/settings/colour', '/settings/phoneNumberId']
    ],
    [{ settings: { ...cloudSettings, graphVersion: '21' } }, ['/settings/graphVersion']],
    [{ settings: { ...cloudSettings, graphVersion: '../v21.0' } }, ['/settings/graphVersion']],
    [{ provider: 'wati' }, ['/settings/businessAccountId', '/settings/phoneNumberId']],
    [
      { provider: 'wati', settings: { channelPhoneNumber: '+1 415', sessionTextIn: 'body' } },
      ['/settings/channelPhoneNumber', '/settings/sessionTextIn']
    ],
    [{ provider: 'telegram' }, ['/provider']],
    [{ id: 'Not one', connectionId: '../x', colour: 'red' }, ['/colour', '/connectionId', '/id']],
    [{ connectionId: 'a\r\nX-Evil: 1' }, ['/connectionId']],
    [{ managedBy: 'file' }, ['/managedBy']],
    [{ settings: null }, ['/settings']]
  ] as const) {
    const answer = await create(board, more)
    t.equal(answer.status, 400, JSON.stringify(more))
    t.strictSame(paths(answer), [...wrong], JSON.stringify(more))
  }
  t.match(await board.call('PATCH', '/channels/wati', { body: { settings: { phoneNumberId: '1' } } }), {
    status: 400,
    body: { errors: [{ path: '/settings/phoneNumberId' }] }
  })
  t.match(await board.call('PATCH', '/channels/wati', { body: {} }), { status: 400 })
  t.match(await board.call('PATCH', '/channels/wati', { body: { provider: 'whatsapp-cloud' } }), {
    status: 400,
    body: { errors: [{ path: '/provider' }] }
  })
  t.equal((await board.call('GET', '/channels')).body.items.length, 2, 'nothing was made')
  const query = await create(board, {
    id: 'q',
    provider: 'wati',
    settings: { sessionTextIn: 'query', channelPhoneNumber: '85264318722' }
  })
  t.equal(query.status, 201, 'CONTROL: right ones are taken')
  await board.call('POST', '/messages', { body: text('q') })
  t.match(
    board.sandbox.ledger.entries.at(-1)!.query,
    { messageText: 'Hello', channelPhoneNumber: '85264318722' },
    'and heeded'
  )
})

t.test('a channel tells what its provider can do, as the adapter does it', async t => {
  const board = await startBoard(t)
  const capabilities = async (id: string) => (await board.call('GET', `/channels/${id}`)).body.capabilities
  t.strictSame((await capabilities('cloud')).messageTypes, [...messageTypes])
  const wati = await capabilities('wati')
  t.strictSame(
    messageTypes.filter(type => !wati.messageTypes.includes(type)),
    ['location', 'contacts', 'reaction']
  )
  t.notOk(wati.operations.includes('uploadMedia'))
  t.ok((await capabilities('cloud')).operations.includes('uploadMedia'))
  t.ok(wati.notes.length > 0)
  t.notOk((await board.call('GET', '/channels')).body.items[0].capabilities, 'a list is short')
})

t.test('a key with a list of channels sees those and no others', async t => {
  const board = await startBoard(t)
  const key = await board.key({ channels: ['wati', 'gone'] })
  t.strictSame(
    (await board.call('GET', '/channels', { key })).body.items.map((each: { id: string }) => each.id),
    ['wati']
  )
  for (const id of ['cloud', 'nowhere']) t.equal((await board.call('GET', `/channels/${id}`, { key })).status, 403, id)
  t.equal((await board.call('GET', '/channels/gone', { key })).status, 404)
  t.equal((await board.call('GET', '/channels/wati', { key })).status, 200)
})

/** A server that is started with this file, or what it says in place of starting. */
async function withFile(t: Test, content: string, directory = mkdtempSync(join(tmpdir(), 'switchboard-file-'))) {
  const path = join(directory, 'channels')
  writeFileSync(path, content)
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  // Its own, since a server that does not start leaves nobody to close it.
  const sandbox = await startSandbox({ apiKey: matonKey })
  t.teardown(() => sandbox.close())
  return { start: () => startBoard(t, { directory, sandbox, env: { CHANNELS_FILE: path } }), directory, sandbox }
}
const declared = { id: 'support', provider: 'wati', connectionId: 'c-1' }

t.test('CHANNELS_FILE, as JSON or YAML, makes channels that only the file changes', async t => {
  const { start, directory } = await withFile(
    t,
    JSON.stringify({
      channels: [
        { ...declared, default: true },
        { ...declared, id: 'old' }
      ]
    })
  )
  const board = await start()
  const { items } = (await board.call('GET', '/channels')).body
  t.match(items, [
    { id: 'old', managedBy: 'file' },
    { id: 'support', default: true, managedBy: 'file', settings: {} }
  ])
  for (const [method, body] of [['PATCH', { connectionId: 'mine' }], ['DELETE']] as const)
    t.match(await board.call(method, '/channels/support', body ? { body } : {}), {
      status: 409,
      body: { code: 'conflict', detail: /channels file/ }
    })
  t.equal((await create(board, { id: 'own' })).status, 201)
  t.equal((await create(board)).status, 409)
  await board.close()

  const yaml = `channels:\n  - id: support\n    provider: whatsapp-cloud\n    connectionId: c-2\n    settings: { phoneNumberId: '1', businessAccountId: '2' }\n`
  const again = await (await withFile(t, yaml, directory)).start()
  const after = (await again.call('GET', '/channels')).body.items
  t.match(
    after,
    [
      { id: 'own', managedBy: 'api' },
      { id: 'support', provider: 'whatsapp-cloud', connectionId: 'c-2', default: false }
    ],
    'the file’s are its own again, the API’s stay'
  )
  t.equal(after.length, 2)
})

t.test('a CHANNELS_FILE with faults stops the start and names them all', async t => {
  const cases: [name: string, content: string, words: RegExp[]][] = [
    ['no JSON', '{"channels": [', [/cannot be read/]],
    ['no list', '{}', [/channels/]],
    [
      'a misspelt member',
      JSON.stringify({ channels: [{ ...declared, conection: 'x' }], more: 1 }),
      [/conection/, /more/]
    ],
    [
      'faults of form',
      JSON.stringify({ channels: [{ id: 'A', provider: 'wati', connectionId: '../x' }, {}] }),
      [/channels\/0\/id/, /channels\/0\/connectionId/, /channels\/1 must have required property 'id'/]
    ],
    [
      'faults of sense',
      JSON.stringify({
        channels: [
          { ...declared, default: true },
          { ...declared, default: true, settings: { colour: 'red' } },
          { ...declared, id: 'b', provider: 'telegram' },
          { ...declared, id: 'c', provider: 'whatsapp-cloud' }
        ]
      }),
      [
        /support is there twice/,
        /only one may be the default/,
        /channels\/1\/settings\/colour/,
        /channels\/2\/provider must be one of/,
        /channels\/3\/settings\/phoneNumberId is required/
      ]
    ]
  ]
  for (const [name, content, words] of cases) {
    const { start } = await withFile(t, content)
    const message = await start().then(
      () => 'started',
      (error: Error) => error.message
    )
    for (const word of words) t.match(message, word, name)
  }
  const { directory, sandbox } = await withFile(t, '')
  const env = { CHANNELS_FILE: '/nowhere/at/all' }
  await t.rejects(startBoard(t, { directory, sandbox, env }), /CHANNELS_FILE is not right:\s+- cannot be read: ENOENT/)
})
