import type { CreateKey } from '../../schemas/keys.ts'
import { createKeyring, type Keyring } from '../../src/keys/keyring.ts'
import { forgetSecrets } from '../../src/store/key-retention.ts'
import { first, type Store } from '../../src/store/store.ts'
import { until } from '../until.ts'
import type { Case } from './store.ts'
import { caller, failure } from './store-rows.ts'

const pepper = 'p'.repeat(64)
const local = '127.0.0.1'
const admin = caller({ keyId: 'key_admin', scopes: new Set(['admin']) })
const input: CreateKey = { service: 'billing', mode: 'live', scopes: ['messages:send'] }
const refused = { code: 'unauthenticated' }
const hour = 3600_000

/** A store whose clock can be put forward; its database knows nothing of it. */
function timed(store: Store): { store: Store; pass: (ms: number) => void } {
  let ahead = 0
  return {
    store: { ...store, clock: () => store.clock() + ahead },
    pass: ms => {
      ahead += ms
    }
  }
}
const ring = (store: Store, believeMs?: number): Keyring =>
  createKeyring({ store, pepper, ...(believeMs !== undefined && { believeMs }) })
async function rotated(keyring: Keyring, id: string, overlapSeconds?: number): Promise<string> {
  const made = await keyring.rotate(id, overlapSeconds === undefined ? null : { overlapSeconds }, admin, false)
  return made.secret
}

/** Rotation of keys (docs/api.md 11): the same key with another secret, and an end of the old one that is kept to the second. */
export function secretCases(test: Case): void {
  test('after a rotation both secrets are the same key, until the overlap is over', async (t, opened) => {
    const { store, pass } = timed(opened.store)
    const keyring = ring(store)
    const { id, secret } = await keyring.create({ ...input, channels: ['a'] }, admin)
    const before = await keyring.authenticate(secret, local)
    const next = await rotated(keyring, id, 60)
    t.not(next, secret)
    for (const each of [secret, next]) t.strictSame(await keyring.authenticate(each, local), before)
    const { secrets, lastFour } = await keyring.get(id)
    t.equal(lastFour, next.slice(-4))
    t.match(secrets, [{ lastFour: next.slice(-4) }, { lastFour: secret.slice(-4) }])
    t.equal(secrets[0]!.expiresAt, undefined, 'the newest has no end')
    pass(Date.parse(secrets[1]!.expiresAt!) - store.clock() - 200)
    await t.resolves(keyring.authenticate(secret, local), 'CONTROL: a moment before its end it counts')
    pass(201)
    t.match(await failure(keyring.authenticate(secret, local)), refused, 'also one that was believed')
    t.match(await failure(ring(store).authenticate(secret, local)), refused)
    t.strictSame(await keyring.authenticate(next, local), before)
    t.equal((await keyring.get(id)).secrets.length, 1)
  })

  test('an overlap is a day where none is given, and none at all where it is 0', async (t, { store }) => {
    const keyring = ring(store)
    const { id, secret } = await keyring.create(input, admin)
    await rotated(keyring, id)
    const left = Date.parse((await keyring.get(id)).secrets[1]!.expiresAt!) - store.clock()
    t.ok(left > 23.9 * hour && left <= 24 * hour)
    const third = await rotated(keyring, id, 0)
    t.equal((await keyring.get(id)).secrets.length, 2, 'the one between is gone')
    await t.resolves(keyring.authenticate(secret, local), 'the first one keeps the overlap that it was promised')
    await t.resolves(keyring.authenticate(third, local))
  })

  test('several rotations at a time each give a secret that counts, and one of them is the newest', async (t, opened) => {
    const { store } = opened
    const other = opened.replica ? await opened.replica() : store
    const rings = [ring(store), ring(other)]
    const { id } = await rings[0]!.create(input, admin)
    const made = await Promise.all([0, 1, 2, 3, 4, 5].map(i => rotated(rings[i % 2]!, id)))
    for (const secret of made) await t.resolves(ring(store).authenticate(secret, local))
    const { secrets, lastFour } = await rings[0]!.get(id)
    t.equal(secrets.length, 7)
    t.equal(secrets.filter(({ expiresAt }) => expiresAt === undefined).length, 1)
    t.equal(secrets[0]!.lastFour, lastFour)
  })

  test('a secret is ended by itself, but not the newest', async (t, { store }) => {
    const keyring = ring(store)
    const { id, secret } = await keyring.create(input, admin)
    const next = await rotated(keyring, id)
    const [newest, old] = (await keyring.get(id)).secrets
    await keyring.authenticate(secret, local)
    t.match(await failure(keyring.endSecret(id, newest!.id, admin)), { code: 'conflict' })
    t.match(await failure(keyring.endSecret(id, 'sec_0', admin)), { code: 'not_found' })
    t.match(await failure(keyring.endSecret('key_0', old!.id, admin)), { code: 'not_found' })
    const stranger = await keyring.create(input, admin)
    t.match(await failure(keyring.endSecret(stranger.id, old!.id, admin)), { code: 'not_found' }, 'another key’s')
    await keyring.endSecret(id, old!.id, admin)
    t.match(await failure(keyring.authenticate(secret, local)), refused, 'at once')
    await t.resolves(keyring.authenticate(next, local))
  })

  test('with its key every secret is revoked, and no key that has ended is rotated', async (t, opened) => {
    const { store, pass } = timed(opened.store)
    const keyring = ring(store)
    const { id, secret } = await keyring.create(input, admin)
    const next = await rotated(keyring, id)
    for (const each of [secret, next]) await keyring.authenticate(each, local)
    await keyring.revoke(id, admin)
    for (const each of [secret, next]) t.match(await failure(keyring.authenticate(each, local)), refused)
    t.match(await failure(rotated(keyring, id)), { code: 'conflict' })
    t.match(await failure(rotated(keyring, 'key_0')), { code: 'not_found' })
    const short = await keyring.create({ ...input, expiresAt: new Date(store.clock() + hour).toISOString() }, admin)
    const newer = await rotated(keyring, short.id, 7200)
    pass(hour)
    for (const each of [short.secret, newer]) t.match(await failure(keyring.authenticate(each, local)), refused)
    t.match(await failure(rotated(keyring, short.id)), { code: 'conflict' })
  })

  test('the secret of a rotation is told again for its overlap, sealed, and no longer than a day', async (t, opened) => {
    const { store, pass } = timed(opened.store)
    const keyring = ring(store)
    const { id } = await keyring.create(input, admin)
    const kept = await keyring.rotate(id, { overlapSeconds: 30 * 86_400 }, admin, true)
    const { secret } = kept
    await t.resolves(keyring.authenticate(secret, local))
    t.equal(await keyring.again(kept), secret)
    t.equal(await ring(store).again(kept), secret, 'another process tells the same')
    const rows = JSON.stringify(await store.read(store.build.selectFrom('key_secrets').selectAll().compile()))
    t.notOk(rows.includes(secret) || rows.includes(secret.slice(12, -7)))
    t.match(rows, /"sealed":"[\w+/=]{80,}"/, 'CONTROL: something is kept there')
    await rotated(keyring, id)
    t.equal(await keyring.again(kept), secret, 'whatever was rotated since')
    pass(24 * hour)
    t.match(await failure(keyring.again(kept)), { code: 'conflict' })
    t.equal(await forgetSecrets(opened.store, store.clock()), 1)
    t.notMatch(
      JSON.stringify(await store.read(store.build.selectFrom('key_secrets').selectAll().compile())),
      /"sealed":"/
    )

    const short = await keyring.rotate(id, { overlapSeconds: 60 }, admin, true)
    const cut = await keyring.rotate(id, { overlapSeconds: 3600 }, admin, true)
    pass(60_000)
    t.match(await failure(keyring.again(short)), { code: 'conflict' }, 'an overlap of a minute: for a minute')
    await t.resolves(keyring.again(cut))
    await keyring.revoke(id, admin)
    t.match(await failure(keyring.again(cut)), { code: 'conflict' }, 'nor a secret of a revoked key')
  })

  test('of each secret is told when and from where it was used last', async (t, opened) => {
    const { store, pass } = timed(opened.store)
    const keyring = ring(store)
    const { id, secret } = await keyring.create(input, admin)
    const next = await rotated(keyring, id)
    const uses = async () =>
      (await keyring.get(id)).secrets.map(({ lastUsedAt, lastUsedFrom }) => [lastUsedAt, lastUsedFrom])
    t.strictSame(await uses(), [
      [null, null],
      [null, null]
    ])
    await keyring.authenticate(secret, '10.0.0.7')
    const [fresh, old] = await until(uses, each => each[1]![0] !== null)
    t.strictSame(fresh, [null, null])
    t.equal(old![1], '10.0.0.7')
    pass(60_000)
    await keyring.authenticate(secret, '10.0.0.8')
    await keyring.authenticate(next, undefined)
    const later = await until(uses, ([newest, oldest]) => newest![0] !== null && oldest![1] === '10.0.0.8')
    t.ok(Date.parse(later[1]![0]!) - Date.parse(old![0]!) >= 60_000)
    t.equal(later[0]![1], null, 'nobody can read where from')
    t.ok((await keyring.get(id)).lastUsedAt)
  })

  test('a key that a release before made has its secret, and can be rotated', async (t, { store }) => {
    const keyring = ring(store)
    const { id, secret } = await keyring.create(input, admin)
    const forget = store.build.deleteFrom('key_secrets').where('key_id', '=', id)
    await store.write(function* () {
      yield forget.compile()
    })
    t.match((await keyring.get(id)).secrets, [{ id: `sec_${id.slice(4)}`, lastFour: secret.slice(-4) }])
    await t.resolves(keyring.authenticate(secret, local))
    const next = await rotated(keyring, id)
    t.match((await keyring.get(id)).secrets, [{ lastFour: next.slice(-4) }, { lastFour: secret.slice(-4) }])
    for (const each of [secret, next]) await t.resolves(ring(store).authenticate(each, local))
    const row = await store.write(function* () {
      return yield* first(store.build.selectFrom('keys').select('last_four').where('id', '=', id))
    })
    t.equal(row!.last_four, next.slice(-4), 'which that release knows by its newest secret')
  })

  test('nobody is told of a key as it was before a change that has ended, however late the look-up', async (t, opened) => {
    const { store } = opened
    const gates: (() => void)[] = []
    let slow = false
    const delayed: Store = {
      ...store,
      read: async query => {
        const late = slow
        const rows = await store.read(query)
        if (late) await new Promise<void>(resolve => gates.push(resolve))
        return rows
      }
    }
    const { secret, id } = await ring(store).create(input, admin)
    const open = async () => {
      slow = false
      while (gates.length > 0) gates.shift()!()
    }
    for (const change of [
      keyring => keyring.patch(id, { channels: ['b'] }, admin),
      keyring => keyring.revoke(id, admin)
    ] as ((keyring: Keyring) => Promise<unknown>)[]) {
      const keyring = ring(delayed)
      const before = await ring(store).authenticate(secret, local)
      slow = true
      // Held at once: a refusal that nobody waits for yet would end the test.
      const told = () => keyring.authenticate(secret, local).catch(error => error.code)
      const early = [told(), told()]
      // The first read of the look-up has been answered and is held up; the second is let through after the change.
      await until(
        async () => gates.length,
        count => count > 0
      )
      slow = false
      await change(keyring)
      const during = told()
      await open()
      const after = await ring(store)
        .authenticate(secret, local)
        .catch(error => error.code)
      for (const late of [...early, during]) t.strictSame(await late, after, 'as it is now')
      t.notSame(after, before, 'CONTROL: it has changed')
    }
  })
}
