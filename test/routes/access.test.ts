import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { messageExamples } from '../../schemas/examples.ts'
import { CreateTemplate } from '../../schemas/templates.ts'
import { ended, order } from '../broadcasts/order.ts'
import { adminKey, type Board, cloudSettings, startBoard, until } from '../helper.ts'

// The access matrix (RELIABILITY.md P43): every operation of the document × every kind of key, so that an operation
// without a row here fails.

interface Operation {
  operationId: string
  security: unknown[]
  description?: string
}
const document = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8')) as {
  paths: Record<string, Record<string, Operation>>
}
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, ...operation }))
)

const boundary = 'x-boundary-x'
const upload = [
  `--${boundary}\r\nContent-Disposition: form-data; name="channel"\r\n\r\nwati`,
  `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nHello`,
  `--${boundary}--\r\n`
].join('\r\n')

interface Objects {
  broadcast: string
  ended: string
  message: string
  failed: string
  unknown: string
  queued: string
  media: string
  key: string
}
interface Row {
  /** The scope that is asked for; none: open to everybody; any: every valid key. */
  scope?: string
  /** What stands in the path, of the objects of one service. */
  id?: (of: Objects) => string
  /** The whole path with its query, where it names no object of a service. */
  at?: string
  /** Whether the object belongs to a service: to another one it is a 404. */
  owned?: true
  body?: () => unknown
  headers?: Record<string, string>
  right: number
}
const future = () => new Date(Date.now() + 3600_000).toISOString()
/** It is taken, and the answer cannot be read: unknown, and no sign that the provider is down. */
const unreadable = '15550100017'
const fresh = () => randomBytes(6).toString('hex')
const rows: Record<string, Row> = {
  sendMessage: { scope: 'messages:send', body: () => ({ ...messageExamples.text, channel: 'cloud' }), right: 201 },
  validateMessage: { scope: 'messages:send', body: () => ({ ...messageExamples.text, channel: 'cloud' }), right: 200 },
  listMessages: { scope: 'messages:read', right: 200 },
  getMessage: { scope: 'messages:read', id: of => of.message, owned: true, right: 200 },
  getMessageTimeline: { scope: 'messages:read', id: of => of.message, owned: true, right: 200 },
  cancelMessage: { scope: 'messages:send', id: of => of.queued, owned: true, right: 200 },
  resendMessage: { scope: 'messages:send', id: of => of.failed, owned: true, right: 201 },
  reconcileMessage: { scope: 'messages:send', id: of => of.unknown, owned: true, right: 200 },
  resolveMessage: {
    scope: 'messages:send',
    id: of => of.unknown,
    owned: true,
    body: () => ({ verdict: 'abandon' }),
    right: 200
  },
  resolveMessages: {
    scope: 'messages:send',
    body: () => ({ filter: { reference: 'none' }, expectedCount: 0, verdict: 'abandon' }),
    right: 200
  },
  markMessageRead: { scope: 'messages:send', at: '/messages/wamid.HBgA/read?channel=cloud', right: 204 },
  createBroadcast: {
    scope: 'broadcasts:write',
    body: () => order(1, { startAt: future() }),
    right: 202
  },
  listBroadcasts: { scope: 'broadcasts:read', right: 200 },
  getBroadcast: { scope: 'broadcasts:read', id: of => of.broadcast, owned: true, right: 200 },
  listBroadcastMessages: { scope: 'broadcasts:read', id: of => of.broadcast, owned: true, right: 200 },
  streamBroadcastEvents: { scope: 'broadcasts:read', id: of => of.ended, owned: true, right: 200 },
  pauseBroadcast: { scope: 'broadcasts:write', id: of => of.broadcast, owned: true, right: 200 },
  cancelBroadcast: { scope: 'broadcasts:write', id: of => of.broadcast, owned: true, right: 200 },
  // It is neither paused nor failed: that the state is what speaks against it is the control.
  resumeBroadcast: { scope: 'broadcasts:write', id: of => of.broadcast, owned: true, right: 409 },
  retryFailedBroadcast: { scope: 'broadcasts:write', id: of => of.broadcast, owned: true, right: 409 },
  listTemplates: { scope: 'templates:read', at: '/templates?channel=cloud', right: 200 },
  getTemplate: { scope: 'templates:read', at: '/templates/order_update?channel=cloud', right: 200 },
  createTemplate: {
    scope: 'templates:write',
    body: () => ({ ...CreateTemplate.examples[0], name: `t_${fresh()}`, channel: 'cloud' }),
    right: 201
  },
  deleteTemplate: { scope: 'templates:write', at: '/templates/hello_world?channel=cloud', right: 204 },
  assignContact: {
    scope: 'contacts:write',
    at: '/contacts/14155551234/assignee?channel=wati',
    body: () => ({ email: 'agent@example.com' }),
    right: 204
  },
  listContacts: { scope: 'contacts:read', at: '/contacts?channel=cloud', right: 200 },
  upsertContact: {
    scope: 'contacts:write',
    body: () => ({ channel: 'cloud', phone: `1${Date.now()}` }),
    right: 201
  },
  exportContacts: { scope: 'contacts:read', at: '/contacts.csv?channel=cloud', right: 200 },
  importContacts: {
    scope: 'contacts:write',
    at: '/contacts.csv?channel=cloud',
    body: () => 'phone,name\n14155551234,Ada\n',
    headers: { 'content-type': 'text/csv' },
    right: 200
  },
  getContact: { scope: 'contacts:read', at: '/contacts/14155551234?channel=wati', right: 200 },
  updateContact: {
    scope: 'contacts:write',
    at: '/contacts/14155551234?channel=cloud',
    body: () => ({ name: 'Ada' }),
    right: 200
  },
  deleteContact: { scope: 'contacts:write', at: '/contacts/14155551234?channel=cloud', right: 204 },
  listConversation: { scope: 'contacts:read', at: '/contacts/14155551234/messages?channel=wati', right: 200 },
  getContactWindow: { scope: 'contacts:read', at: '/contacts/14155551234/window?channel=wati', right: 200 },
  unassignContact: { scope: 'contacts:write', at: '/contacts/14155551234/assignee?channel=wati', right: 204 },
  getChannelHealth: { scope: 'channels:read', id: () => 'cloud', right: 200 },
  listPhoneNumbers: { scope: 'channels:read', id: () => 'cloud', right: 200 },
  getPhoneNumber: { scope: 'channels:read', id: () => 'cloud', right: 200 },
  getProfile: { scope: 'channels:read', id: () => 'cloud', right: 200 },
  updateProfile: { scope: 'channels:write', id: () => 'cloud', body: () => ({ about: 'Hello' }), right: 200 },
  uploadMedia: {
    scope: 'media:write',
    body: () => upload,
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    right: 201
  },
  getMedia: { scope: 'media:read', id: of => of.media, owned: true, right: 200 },
  getMediaContent: { scope: 'media:read', id: of => of.media, owned: true, right: 200 },
  deleteMedia: { scope: 'media:write', id: of => of.media, owned: true, right: 204 },
  listChannels: { scope: 'channels:read', right: 200 },
  getChannel: { scope: 'channels:read', id: () => 'cloud', right: 200 },
  createChannel: {
    scope: 'admin',
    body: () => ({ id: fresh(), provider: 'whatsapp-cloud', connectionId: 'c', settings: cloudSettings }),
    right: 201
  },
  updateChannel: { scope: 'admin', id: () => 'cloud', body: () => ({ connectionId: 'cloud-connection' }), right: 200 },
  deleteChannel: { scope: 'admin', id: () => 'spare', right: 204 },
  listConnections: { scope: 'connections:read', right: 200 },
  getConnection: { scope: 'connections:read', id: () => '22222222-2222-4222-8222-222222222222', right: 200 },
  createConnection: { scope: 'connections:write', body: () => ({ provider: 'wati' }), right: 201 },
  deleteConnection: { scope: 'connections:write', id: () => '33333333-3333-4333-8333-333333333333', right: 204 },
  nativeGet: { scope: 'native', at: '/channels/wati/native/api/v1/getContacts', right: 200 },
  nativePost: {
    scope: 'native',
    at: '/channels/wati/native/api/v1/addContact/14155551234',
    body: () => ({ name: 'x' }),
    right: 200
  },
  // Nobody serves these there: that it is the provider who says so is the control.
  nativePut: { scope: 'native', at: '/channels/wati/native/api/v1/nothing', body: () => ({}), right: 404 },
  nativePatch: { scope: 'native', at: '/channels/wati/native/api/v1/nothing', body: () => ({}), right: 404 },
  nativeDelete: { scope: 'native', at: '/channels/wati/native/api/v1/nothing', right: 404 },
  createKey: { scope: 'admin', body: () => ({ service: 'x', mode: 'live', scopes: ['messages:read'] }), right: 201 },
  listKeys: { scope: 'admin', right: 200 },
  getOwnKey: { scope: 'any', right: 200 },
  listAudit: { scope: 'admin', right: 200 },
  getHold: { scope: 'admin', right: 200 },
  // Nothing is held: that this is what the right key is told is the control.
  releaseHold: { scope: 'admin', right: 409 },
  getKey: { scope: 'admin', id: of => of.key, right: 200 },
  updateKey: { scope: 'admin', id: of => of.key, body: () => ({ name: 'x' }), right: 200 },
  revokeKey: { scope: 'admin', id: of => of.key, right: 204 },
  getLiveness: { right: 200 },
  getReadiness: { right: 200 },
  getMetrics: { right: 200 }
}

/** Each request from an address of its own: an address has 20 wrong keys a minute. */
let address = 0
const elsewhere = () => ({ 'x-forwarded-for': `10.0.${(++address >> 8) & 255}.${address & 255}` })

const call = (
  board: Board,
  operation: (typeof operations)[number],
  row: Row,
  of: Objects,
  key: string,
  authorization?: string
) =>
  board.call(operation.method, row.at ?? operation.path.replace('{id}', row.id?.(of) ?? ''), {
    key: authorization === undefined ? key : '',
    ...(row.body && { body: row.body() }),
    headers: { ...row.headers, ...elsewhere(), ...(authorization !== undefined && { authorization }) }
  })

async function objects(board: Board, key: string): Promise<Objects> {
  const text = { ...messageExamples.text, channel: 'cloud' }
  const message = await board.call('POST', '/messages', { key, body: text })
  const queued = await board.call('POST', '/messages', { key, body: { ...text, sendAt: future() } })
  const media = await board.call('POST', '/media', { key, body: upload, headers: rows.uploadMedia!.headers! })
  const made = await board.call('POST', '/keys', { body: rows.createKey!.body!() })
  const failed = await board.call('POST', '/messages', { key, body: { ...text, sendAt: future() } })
  await board.call('POST', `/messages/${failed.body.id}/cancel`, { key })
  const unknown = await board.call('POST', '/messages', { key, body: { ...text, to: unreadable } })
  const body = order(1, { startAt: future() })
  const broadcast = await board.call('POST', '/broadcasts', { key, body })
  const over = await board.call('POST', '/broadcasts', { key, body })
  await board.call('POST', `/broadcasts/${over.body.id}/cancel`, { key })
  // A stream of its events would have no end before.
  await ended(board, over.body.id)
  return {
    message: message.body.id,
    broadcast: broadcast.body.id,
    ended: over.body.id,
    failed: failed.body.id,
    unknown: unknown.body.id,
    queued: queued.body.id,
    media: media.body.id,
    key: made.body.id
  }
}

const everyScope = [...new Set(Object.values(rows).flatMap(row => row.scope ?? []))].filter(scope => scope !== 'any')
const all = everyScope.filter(scope => scope !== 'admin')
/** A key's last digit of the checksum replaced by another. */
const typo = (key: string) => key.slice(0, -1) + (key.endsWith('0') ? '1' : '0')

t.test('every operation of the document has a row, and none is here that it does not have', async t => {
  const unmatched = (ids: string[]) =>
    ids.filter(id => !rows[id]).concat(Object.keys(rows).filter(id => !ids.includes(id)))
  const ids = operations.map(each => each.operationId)
  t.strictSame(unmatched(ids), [])
  t.strictSame(
    unmatched([...ids.slice(1), 'sendGreeting']),
    ['sendGreeting', ids[0]],
    'POSITIVE CONTROL: both are found'
  )
  for (const { operationId, security, description } of operations) {
    const { scope } = rows[operationId]!
    t.equal(security.length, scope === undefined ? 0 : 1, `${operationId}: whether the document asks for a key`)
    if (scope !== undefined && scope !== 'any')
      t.match(description, `Needs the scope \`${scope}\`.`, `${operationId}: the scope that it names`)
  }
})

t.test('every operation × every kind of key', async t => {
  const board = await startBoard(t, { env: { TRUST_PROXY: '1' } })
  await board.call('POST', '/channels', { body: { id: 'spare', provider: 'wati', connectionId: 'c', settings: {} } })
  const owner = await board.key({ scopes: all })
  const revoked = await board.key({ scopes: [...all, 'admin'], name: 'revoked' })
  const [{ id: revokedId }] = (await board.call('GET', '/keys?limit=1')).body.items
  await board.call('DELETE', `/keys/${revokedId}`)
  const expired = await board.key({ scopes: [...all, 'admin'], expiresAt: new Date(Date.now() + 300).toISOString() })
  await until(
    () => board.call('GET', '/keys/self', { key: expired }),
    answer => answer.status === 401
  )
  const unknown = (await startBoard(t).then(async other => {
    const key = await other.key({ scopes: [...all, 'admin'] })
    await other.close()
    return key
  })) as string
  const unauthorized = board.sandbox.ledger.entries.length

  for (const operation of operations) {
    const { operationId } = operation
    const row = rows[operationId]!
    if (row.scope === undefined) {
      t.equal((await call(board, operation, row, {} as Objects, '')).status, row.right, `${operationId}: open`)
      continue
    }
    const of = await objects(board, owner)
    const calls = board.sandbox.ledger.entries.length
    const refused: [name: string, key: string, authorization?: string][] = [
      ['no key', ''],
      ['an empty header', '', ''],
      ['another scheme', '', `Basic ${Buffer.from(`x:${owner}`).toString('base64')}`],
      ['the bare key', '', owner],
      ['two keys', '', `Bearer ${owner} ${owner}`],
      ['two headers in one', '', `Bearer ${owner}, Bearer ${owner}`],
      ['no such form', 'hello'],
      ['an unknown key', unknown],
      ['a wrong checksum', typo(owner)],
      ['an expired key', expired],
      ['a revoked key', revoked],
      ['a key with something behind it', `${owner}x`],
      ['half of the admin key', adminKey.slice(0, -1)]
    ]
    for (const [name, key, authorization] of refused) {
      const answer = await call(board, operation, row, of, key, authorization)
      t.equal(answer.status, 401, `${operationId}: ${name}`)
      t.match(answer.body, { code: 'unauthenticated', outcome: 'not_sent' })
      t.match(answer.headers['www-authenticate'], /^Bearer/)
    }
    if (row.scope !== 'any') {
      const others = all.filter(scope => scope !== row.scope)
      const answer = await call(board, operation, row, of, await board.key({ scopes: others }))
      t.equal(answer.status, 403, `${operationId}: every scope but its own`)
      t.match(answer.body, { code: 'forbidden', detail: new RegExp(`lacks the scope ${row.scope}\\.`) })
    }
    if (row.owned) {
      for (const [name, input] of [
        ['another service', { service: 'shipping', scopes: all }],
        ['the other mode', { mode: 'test', scopes: all }],
        ['a key without the channel', { scopes: all, channels: ['spare'] }]
      ] as const)
        t.equal((await call(board, operation, row, of, await board.key(input))).status, 404, `${operationId}: ${name}`)
    }
    t.equal(board.sandbox.ledger.entries.length, calls, `${operationId}: nothing of that went upstream`)
    const right = row.scope === 'any' ? owner : await board.key({ scopes: [row.scope] })
    t.equal((await call(board, operation, row, of, right)).status, row.right, `${operationId}: the right key, CONTROL`)
  }
  t.ok(board.sandbox.ledger.entries.length > unauthorized)
})

t.test('unknown, expired and revoked keys are answered alike', async t => {
  const board = await startBoard(t)
  const revoked = await board.key()
  const [{ id }] = (await board.call('GET', '/keys?limit=1')).body.items
  await board.call('DELETE', `/keys/${id}`)
  const answers = await Promise.all(
    [revoked, typo(revoked), 'sk_live_x'].map(key => board.call('GET', '/keys/self', { key }))
  )
  for (const { body } of answers) t.match(body, { detail: answers[0]!.body.detail, title: answers[0]!.body.title })
  t.equal((await board.call('GET', '/keys/self', { key: '' })).headers['www-authenticate'], 'Bearer')
})
