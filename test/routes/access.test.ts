import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { messageExamples } from '../../schemas/examples.ts'
import { ended, order } from '../broadcasts/order.ts'
import { document as openapi } from '../document.ts'
import { adminKey, type Board, startBoard, until } from '../helper.ts'
import { startIssuer, type TestIssuer } from '../identities/issuer.ts'
import { future, type Objects, type Row, rows, unreadable, upload } from './access-rows.ts'

// The access matrix (docs/reliability.md P43): every operation of the document × every kind of key, so that an operation
// without a row here fails.

interface Operation {
  operationId: string
  /** Absent: as the document says for all. */
  security?: unknown[]
  description?: string
}
const document = openapi as {
  security?: unknown[]
  paths: Record<string, Record<string, Operation>>
}
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, ...operation }))
)

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

/** The objects that a row's address names. */
function namedBy(row: Row): (keyof Objects)[] {
  const names = new Set<keyof Objects>()
  const get = (_: object, name: string): string => {
    names.add(name as keyof Objects)
    return ''
  }
  row.id?.(new Proxy({} as Objects, { get: get as never }))
  return [...names]
}

/** New ones of those that a row is about; the others would be made in vain for each of a hundred operations. */
async function objects(board: Board, key: string, row: Row): Promise<Objects> {
  const text = { ...messageExamples.text, channel: 'cloud' }
  const made = async (path: string, body: unknown, by = { key } as object): Promise<string> =>
    (await board.call('POST', path, { ...by, body })).body.id
  const queued = () => made('/messages', { ...text, sendAt: future() })
  const broadcast = () => made('/broadcasts', order(1, { startAt: future() }))
  const subscribe = (by: string) => made('/subscriptions', rows.createSubscription!.body!(), { key: by })
  const make: Record<keyof Objects, () => Promise<string>> = {
    subscription: () => subscribe(key),
    ownSubscription: async () => subscribe(await board.key({ scopes: ['webhooks:write'] })),
    message: () => made('/messages', text),
    broadcast,
    ended: async () => {
      const id = await broadcast()
      await board.call('POST', `/broadcasts/${id}/cancel`, { key })
      // A stream of its events would have no end before.
      await ended(board, id)
      return id
    },
    failed: async () => {
      const id = await queued()
      await board.call('POST', `/messages/${id}/cancel`, { key })
      return id
    },
    unknown: () => made('/messages', { ...text, to: unreadable }),
    queued,
    media: () => made('/media', upload, { key, headers: rows.uploadMedia!.headers! }),
    key: () => made('/keys', rows.createKey!.body!(), {}),
    identity: () => made('/identities', rows.createIdentity!.body!(), {})
  }
  const of = {} as Objects
  for (const name of namedBy(row)) of[name] = await make[name]()
  return of
}

/** A test key of before, whose row says admin: none can be made any more. */
async function oldTestAdmin(board: Board): Promise<string> {
  const made = await board.call('POST', '/keys', { body: { service: 'old', mode: 'test', scopes: ['read_all'] } })
  const db = new DatabaseSync(join(board.directory, 'switchboard.db'))
  db.prepare('update keys set scopes = ? where id = ?').run('["admin","read_all"]', made.body.id)
  db.close()
  const { scopes } = (await board.call('GET', '/keys/self', { key: made.body.secret })).body
  t.strictSame(scopes, ['admin', 'read_all'], 'CONTROL: its row says so')
  return made.body.secret
}

/** A new identity with these rights, and a token of it. */
async function identity(board: Board, issuer: TestIssuer, input: object): Promise<{ id: string; token: string }> {
  const sub = `repo:acme/${Math.random()}`
  const known = { issuer: issuer.url, audience: 'switchboard', claims: { sub } }
  const made = await board.call('POST', '/identities', {
    body: { service: 'billing', mode: 'live', ...known, ...input }
  })
  return { id: made.body.id, token: await issuer.token({ sub }) }
}

/** What is changed with these is told in the audit log; with the others, messages and contacts are written. */
const administrative: ReadonlySet<string> = new Set([
  ...['admin', 'webhooks:write', 'suppressions:write', 'connections:write', 'channels:write', 'native']
])
const everyScope = [...new Set(Object.values(rows).flatMap(row => row.scope ?? []))].filter(scope => scope !== 'any')
const all = everyScope.filter(scope => scope !== 'admin' && scope !== 'read_all')
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
  for (const { operationId, security = document.security ?? [], description } of operations) {
    const { scope } = rows[operationId]!
    t.equal(security.length, scope === undefined ? 0 : 1, `${operationId}: whether the document asks for a key`)
    if (scope !== undefined && scope !== 'any')
      t.match(description, `Needs the scope \`${scope}\`.`, `${operationId}: the scope that it names`)
  }
})

t.test('every operation × every kind of key, and of identity', async t => {
  const issuer = await startIssuer(t)
  const board = await startBoard(t, { env: { TRUST_PROXY: '1', EGRESS_ALLOW: issuer.host } })
  await board.call('POST', '/channels', { body: { id: 'spare', provider: 'wati', connectionId: 'c', settings: {} } })
  const owner = await board.key({ scopes: all })
  const revoked = await board.key({ scopes: [...all, 'admin'], name: 'revoked' })
  const [{ id: revokedId }] = (await board.call('GET', '/keys?limit=1')).body.items
  await board.call('DELETE', `/keys/${revokedId}`)
  // On a busy machine its end may have come before it is made: then it is asked for again.
  const expired = await until(
    () => board.key({ scopes: [...all, 'admin'], expiresAt: new Date(Date.now() + 300).toISOString() }),
    secret => secret !== undefined
  )
  await until(
    () => board.call('GET', '/keys/self', { key: expired }),
    answer => answer.status === 401
  )
  const old = await oldTestAdmin(board)
  const unknown = (await startBoard(t).then(async other => {
    const key = await other.key({ scopes: [...all, 'admin'] })
    await other.close()
    return key
  })) as string
  const known = await identity(board, issuer, { scopes: [...all, 'admin'] })
  const gone = await identity(board, issuer, { scopes: [...all, 'admin'] })
  await board.call('DELETE', `/identities/${gone.id}`)
  const { sub } = JSON.parse(Buffer.from(known.token.split('.')[1]!, 'base64url').toString())
  const late = await issuer.token({ sub, exp: Math.floor(Date.now() / 1000) - 120 })
  const elsewhere = await issuer.token({ sub, aud: 'another' })
  const unauthorized = board.sandbox.ledger.entries.length

  for (const operation of operations) {
    const { operationId } = operation
    const row = rows[operationId]!
    if (row.scope === undefined) {
      t.equal((await call(board, operation, row, {} as Objects, '')).status, row.right, `${operationId}: open`)
      continue
    }
    const of = await objects(board, owner, row)
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
      ['half of the admin key', adminKey.slice(0, -1)],
      ['a token of a revoked identity', gone.token],
      ['a token that has expired', late],
      ['a token for another audience', elsewhere],
      ['half of a token', known.token.slice(0, -4)]
    ]
    for (const [name, key, authorization] of refused) {
      const answer = await call(board, operation, row, of, key, authorization)
      t.equal(answer.status, 401, `${operationId}: ${name}`)
      t.match(answer.body, { code: 'unauthenticated', outcome: 'not_sent' })
      t.match(answer.headers['www-authenticate'], /^Bearer/)
    }
    if (row.scope !== 'any') {
      const others = all.filter(scope => scope !== row.scope)
      for (const key of [
        await board.key({ scopes: others }),
        (await identity(board, issuer, { scopes: others })).token
      ]) {
        const answer = await call(board, operation, row, of, key)
        t.equal(answer.status, 403, `${operationId}: every scope but its own`)
        t.match(answer.body, { code: 'forbidden', detail: new RegExp(`lacks the scope ${row.scope}\\.`) })
      }
    }
    if (row.scope === 'admin') {
      const answer = await call(board, operation, row, of, old)
      t.match([answer.status, answer.body.detail], [403, /test key/], `${operationId}: a test key that says admin`)
    }
    if (row.owned) {
      for (const [name, input] of [
        ['another service', { service: 'shipping', scopes: all }],
        ['the other mode', { mode: 'test', scopes: all }],
        ['a key without the channel', { scopes: all, channels: ['spare'] }]
      ] as const)
        for (const key of [await board.key(input), (await identity(board, issuer, input)).token])
          t.equal((await call(board, operation, row, of, key)).status, 404, `${operationId}: ${name}`)
    }
    t.equal(board.sandbox.ledger.entries.length, calls, `${operationId}: nothing of that went upstream`)
    const right = row.scope === 'any' ? owner : await board.key({ scopes: [row.scope] })
    t.equal((await call(board, operation, row, of, right)).status, row.right, `${operationId}: the right key, CONTROL`)
    if (
      operation.method !== 'GET' &&
      row.right < 300 &&
      administrative.has(row.scope) &&
      operationId !== 'testSubscription'
    ) {
      const { id } = (await board.call('GET', '/keys/self', { key: right })).body
      const [entry] = (await board.call('GET', `/audit?actor=${id}&limit=1`)).body.items
      t.match(
        entry,
        { actor: id, address: /^10\.0\./ },
        `${operationId}: who did it and from where is in the audit log`
      )
    }
    const again = operation.method === 'GET' || !row.id ? of : await objects(board, owner, row)
    const { token } = row.scope === 'any' ? known : await identity(board, issuer, { scopes: [row.scope] })
    const { status } = await call(board, operation, row, again, token)
    // What the key before has deleted by its name is not there any more; what has an id of its own was made anew.
    const answers = row.id?.length || operation.method !== 'DELETE' ? [row.right] : [row.right, 404]
    t.ok(answers.includes(status), `${operationId}: the right identity, ${status}`)
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

t.test('who waits for a message with a key that is revoked meanwhile is not told of it', async t => {
  const board = await startBoard(t)
  const key = await board.key()
  const [{ id }] = (await board.call('GET', '/keys?limit=1')).body.items
  await board.call('POST', '/channels/cloud/pause')
  const body = { channel: 'cloud', to: '14155551234', type: 'text', text: { body: 'later' } }
  const headers = { prefer: 'respond-async' }
  const message = (await board.call('POST', '/messages', { key, body, headers })).body.id
  const wait = (who?: string) =>
    board.call('GET', `/messages/${message}`, { ...(who && { key: who }), headers: { prefer: 'wait=5' } })
  const [waits, control] = [wait(key), wait()]
  await board.call('DELETE', `/keys/${id}`)
  t.match(await waits, { status: 401, body: { code: 'unauthenticated' } })
  t.match(await control, { status: 200 }, 'CONTROL')
})
