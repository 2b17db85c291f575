import { sql } from 'kysely'
import type { CreateKey } from '../../schemas/keys.ts'
import { createKeyring, type KeyFilter, type Keyring, type KeyringOptions } from '../../src/keys/keyring.ts'
import { mint } from '../../src/keys/secret.ts'
import { pageRequest } from '../../src/store/page.ts'
import type { Store } from '../../src/store/store.ts'
import { until as eventually } from '../until.ts'
import type { Case } from './store.ts'
import { caller, countedSince, failure } from './store-rows.ts'

const pepper = 'p'.repeat(64)
const local = '127.0.0.1'
const hour = 3600_000
const ring = (store: Store, more: Pick<KeyringOptions, 'believeMs' | 'now'> = {}): Keyring =>
  createKeyring({ store, pepper, ...more })
const input = (changes: Partial<CreateKey> = {}): CreateKey => ({
  service: 'billing',
  mode: 'live',
  scopes: ['messages:send'],
  ...changes
})
const refused = { code: 'unauthenticated' }
const admin = caller({ keyId: 'key_admin', scopes: new Set(['admin']) })

const tables = ['messages', 'idempotency', 'keys', 'key_secrets', 'channels', 'media', 'media_chunks', 'audit'] as const
/** Everything that the store holds, as one text. */
async function dump(store: Store): Promise<string> {
  const rows = await Promise.all(tables.map(table => store.read(store.build.selectFrom(table).selectAll().compile())))
  return JSON.stringify(rows)
}

/** API keys (docs/reliability.md 8): shown once, stored as a digest, gone when revoked. */
export function keyCases(test: Case): void {
  test('a new key opens the door for whom it was made', async (t, { store }) => {
    const keyring = ring(store)
    const rights = { channels: ['a'], templates: ['hi'], recipientPrefixes: ['49'], defaultChannel: 'a', name: 'ü' }
    const made = await keyring.create(input({ ...rights, cidrs: ['127.0.0.0/8'] }), admin)
    t.match(made, { ...rights, service: 'billing', createdBy: 'key_admin', lastFour: made.secret.slice(-4) })
    const who = await keyring.authenticate(made.secret, local)
    t.match(who, { keyId: made.id, service: 'billing', mode: 'live', recipientPrefixes: ['49'], defaultChannel: 'a' })
    t.strictSame([...who.scopes, ...who.channels!, ...who.templates!], ['messages:send', 'a', 'hi'])
    const { secret, ...shown } = made
    // Its use just now is written a moment later.
    const { secrets, ...rest } = await keyring.self(who)
    const unused = secrets.map(one => ({ ...one, lastUsedAt: null, lastUsedFrom: null }))
    t.strictSame({ ...rest, secrets: unused, lastUsedAt: null }, shown)
  })

  test('no secret stands anywhere in the tables', async (t, { store }) => {
    const keyring = ring(store)
    const made = await Promise.all(
      (['live', 'test'] as const).map(mode => keyring.create(input({ mode, name: 'n' }), admin))
    )
    for (const { secret, id } of made) {
      await keyring.authenticate(secret, local)
      await keyring.patch(id, { name: 'other' }, admin)
    }
    await keyring.revoke(made[0]!.id, admin)
    const all = await dump(store)
    t.match(all, made[0]!.id)
    t.notMatch(all, pepper)
    for (const { secret } of made) {
      t.notOk(all.includes(secret))
      t.notOk(all.includes(secret.slice(12, -7)))
    }
    const note = { id: 'aud_1', at: 1, actor: 'x', action: 'x', target: 'x', detail: made[1]!.secret }
    await store.write(function* () {
      yield store.build.insertInto('audit').values(note).compile()
    })
    t.ok((await dump(store)).includes(made[1]!.secret), 'control: one that did stand there would be found')
  })

  test('a key that is not well formed is refused without a look-up', async (t, { store }) => {
    const made = await ring(store).create(input(), null)
    const blind: Store = { ...store, read: () => Promise.reject(new Error('it looked')) }
    const last = made.secret.endsWith('0') ? '1' : '0'
    for (const secret of [`${made.secret.slice(0, -1)}${last}`, 'sk_live_x', '', made.secret.replace('live', 'test')])
      t.match(await failure(ring(blind).authenticate(secret, local)), refused)
    t.match(await failure(ring(blind).authenticate(made.secret, local)), { message: 'it looked' })
  })

  test('a well formed key that nobody made is refused', async (t, { store }) => {
    await ring(store).create(input(), null)
    t.match(await failure(ring(store).authenticate(mint('live'), local)), refused)
  })

  test('with another pepper no key opens', async (t, { store }) => {
    const { secret } = await ring(store).create(input(), null)
    const other = createKeyring({ store, pepper: 'q'.repeat(64) })
    t.match(await failure(other.authenticate(secret, local)), refused)
    await t.resolves(ring(store).authenticate(secret, local))
  })

  test('a revoked key is refused at once, and stays so', async (t, { store }) => {
    const keyring = ring(store)
    const { secret, id } = await keyring.create(input(), null)
    await keyring.authenticate(secret, local)
    await keyring.revoke(id, admin)
    t.match(await failure(keyring.authenticate(secret, local)), refused)
    t.match(await failure(ring(store).authenticate(secret, local)), refused)
    const { revokedAt } = await keyring.get(id)
    await keyring.revoke(id, admin)
    t.equal((await keyring.get(id)).revokedAt, revokedAt, 'to revoke again changes nothing')
    t.match(await failure(keyring.patch(id, { name: 'x' }, admin)), { code: 'conflict' })
  })

  test('a look-up that was under way during the revocation is not believed after it', async (t, { store }) => {
    let open = () => {}
    const admission = new Promise<void>(resolve => {
      open = resolve
    })
    let slow = false
    const delayed: Store = {
      ...store,
      read: async query => {
        const late = slow
        const rows = await store.read(query)
        if (late) await admission
        return rows
      }
    }
    const keyring = ring(delayed)
    const { secret, id } = await keyring.create(input(), null)
    slow = true
    const early = keyring.authenticate(secret, local)
    slow = false
    await keyring.revoke(id, admin)
    open()
    await early.catch(() => {})
    t.match(await failure(keyring.authenticate(secret, local)), refused)
  })

  test('of those who would make the first key at one moment one does', async (t, { store, replica }) => {
    const rings = [ring(store), ring(replica ? await replica() : store), ring(store)]
    const made = await Promise.all(rings.map(keyring => keyring.createFirst(input())))
    t.equal(made.filter(key => key !== undefined).length, 1)
    t.equal(await rings[0]!.createFirst(input()), undefined)
  })

  test('the keys that starts made for a service can be ended together', async (t, { store }) => {
    const keyring = ring(store)
    const mine = await Promise.all([keyring.create(input(), null), keyring.create(input(), null)])
    const other = await keyring.create(input({ service: 'other' }), null)
    for (const { secret } of [...mine, other]) await keyring.authenticate(secret, local)
    const ours = await keyring.create(input(), admin)
    await keyring.endStarted('billing')
    await t.resolves(keyring.authenticate(ours.secret, local), 'somebody made that one')
    for (const { secret } of mine) t.match(await failure(keyring.authenticate(secret, local)), refused)
    await t.resolves(keyring.authenticate(other.secret, local))
  })

  test('a replica refuses a revoked key as soon as it stops believing', async (t, { store, replica }) => {
    if (!replica) return t.pass('this database is of one process')
    const here = ring(store)
    let now = 0
    const there = ring(await replica(), { believeMs: 300, now: () => now })
    const { secret, id } = await here.create(input(), null)
    await there.authenticate(secret, local)
    await here.revoke(id, admin)
    now = 299
    await t.resolves(there.authenticate(secret, local), 'CONTROL: it still believes')
    now = 300
    t.match(await failure(there.authenticate(secret, local)), refused)
  })

  test('a key ends when it expires, also one that is believed', async (t, { store }) => {
    let aheadMs = 0
    const keyring = ring({ ...store, clock: () => store.clock() + aheadMs })
    const made = await keyring.create(input({ expiresAt: new Date(Date.now() + hour).toISOString() }), null)
    await keyring.authenticate(made.secret, local)
    aheadMs = hour + 1000
    t.match(await failure(keyring.authenticate(made.secret, local)), refused)
    const past = new Date(Date.now() - 1).toISOString()
    t.match(await failure(keyring.create(input({ expiresAt: past }), null)), { code: 'invalid_request' })
  })

  test('a key opens from its addresses only, a v4 address in a v6 coat included', async (t, { store }) => {
    const keyring = ring(store)
    const { secret } = await keyring.create(input({ cidrs: ['10.1.0.0/16', '192.0.2.7', '2001:db8::/32'] }), null)
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.7', '2001:db8::1'])
      await t.resolves(keyring.authenticate(secret, address))
    for (const address of ['10.2.0.1', '192.0.2.8', '2001:db9::1', '::1'])
      t.match(await failure(keyring.authenticate(secret, address)), { code: 'forbidden' })
    t.match(await failure(keyring.create(input({ cidrs: ['10.0.0.0/33'] }), null)), { code: 'invalid_request' })
  })

  test('changed rights hold at once, and null takes a restriction away', async (t, { store }) => {
    const keyring = ring(store)
    const { secret, id } = await keyring.create(input({ channels: ['a'], name: 'n' }), null)
    await keyring.authenticate(secret, local)
    const patched = await keyring.patch(id, { channels: ['b', 'c'], scopes: ['messages:read'] }, admin)
    t.match(patched, { channels: ['b', 'c'], scopes: ['messages:read'], name: 'n' })
    t.strictSame([...(await keyring.authenticate(secret, local)).channels!], ['b', 'c'])
    await keyring.patch(id, { channels: null, name: null }, admin)
    t.match(await keyring.get(id), { channels: null, name: null, scopes: ['messages:read'] })
    t.equal((await keyring.authenticate(secret, local)).channels, undefined)
  })

  test('a key that is not there is not found', async (t, { store }) => {
    const keyring = ring(store)
    t.match(await failure(keyring.get('key_0')), { code: 'not_found' })
    t.match(await failure(keyring.revoke('key_0', admin)), { code: 'not_found' })
    t.match(await failure(keyring.patch('key_0', { name: 'x' }, admin)), { code: 'not_found' })
  })

  test('keys are listed newest first, by service, every one once', async (t, { store }) => {
    const keyring = ring(store)
    const ids: string[] = []
    for (let i = 0; i < 7; i++) ids.push((await keyring.create(input(), null)).id)
    const other = await keyring.create(input({ service: 'other' }), null)
    const seen: string[] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await keyring.list({ ...pageRequest({ limit: 3, ...(cursor && { cursor }) }), service: 'billing' })
      seen.push(...page.items.map(({ id }) => id))
      cursor = page.nextCursor
      await keyring.create(input(), null)
    }
    t.strictSame(seen, ids.reverse())
    t.match(await keyring.list({ limit: 1, service: 'other' }), { items: [{ id: other.id }], nextCursor: null })
    t.notMatch(JSON.stringify(await keyring.list({ limit: 50 })), other.secret)
  })

  test('keys are found by a part of their name, and by the end of each of their secrets', async (t, { store }) => {
    const keyring = ring(store)
    const named = (name: string) => keyring.create(input({ name }), null)
    const [shop, odd, plain] = [await named('Web Shop'), await named('100%_!a'), await named('1000a')]
    const found = async (filter: KeyFilter) => (await keyring.list({ limit: 50, ...filter })).items.map(({ id }) => id)
    t.strictSame(await found({ name: 'b sHo' }), [shop.id])
    t.strictSame(await found({ name: '%_!' }), [odd.id], 'what LIKE has a meaning for is itself')
    t.strictSame(await found({ name: '100' }), [plain.id, odd.id], 'CONTROL')
    t.strictSame(await found({ name: 'shop', service: 'other' }), [])
    const end = shop.secret.slice(-4)
    t.strictSame(await found({ lastFour: end }), [shop.id])
    const next = await keyring.rotate(shop.id, { overlapSeconds: 60 }, null, false)
    for (const secret of [shop.secret, next.secret])
      t.strictSame(await found({ lastFour: secret.slice(-4) }), [shop.id], 'either of the two that it has')
    const other = end === 'zzzz' ? 'yyyy' : 'zzzz'
    t.strictSame(await found({ lastFour: other }), [])
  })

  test('when a key was last used is noted, at most once a minute', async (t, { store }) => {
    const keyring = ring(store, { believeMs: 0 })
    const since = Date.now()
    const { secret, id } = await keyring.create(input(), null)
    t.equal((await keyring.get(id)).lastUsedAt, null)
    await keyring.authenticate(secret, local)
    // Written beside the request that used it.
    const { lastUsedAt } = await eventually(
      () => keyring.get(id),
      key => key.lastUsedAt !== null
    )
    t.ok(countedSince(since, Date.parse(lastUsedAt!)))
    await keyring.authenticate(secret, local)
    t.equal((await keyring.get(id)).lastUsedAt, lastUsedAt)
  })

  test('the key of the settings opens everything and stands in no table', async (t, { store }) => {
    const adminKey = 'a long key of the settings'
    const keyring = createKeyring({ store, pepper, adminKey })
    const who = await keyring.authenticate(adminKey, local)
    t.match(who, { keyId: 'key_admin', service: 'admin' })
    t.match(await keyring.self(who), { id: 'key_admin' })
    t.notOk((await dump(store)).includes(adminKey))
  })

  test('two keys cannot share a digest', async (t, { store }) => {
    await ring(store).create(input(), null)
    const names = sql.raw('pepper_version, prefix, last_four, service, mode, scopes, created_at, created_by')
    const copy = (hash: string) =>
      store.write(function* () {
        yield sql`insert into keys (id, hash, ${names}) select 'key_copy', ${sql.raw(hash)}, ${names} from keys`.compile(
          store.build
        )
      })
    await t.rejects(copy('hash'))
    await t.resolves(copy("'another'"), 'CONTROL: with another one it can be there')
  })

  test('who made, changed and revoked a key is noted', async (t, { store }) => {
    const keyring = ring(store)
    const { id } = await keyring.create(input(), null)
    await keyring.patch(id, { name: 'x' }, admin)
    await keyring.revoke(id, admin)
    const notes = await store.read(store.build.selectFrom('audit').selectAll().orderBy('id').compile())
    t.strictSame(
      notes.map(note => [note.actor, note.action, note.target]),
      [
        ['start', 'key.created', id],
        ['key_admin', 'key.changed', id],
        ['key_admin', 'key.revoked', id]
      ]
    )
  })
}
