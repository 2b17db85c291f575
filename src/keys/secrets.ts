import type { Mode } from '../../schemas/common.ts'
import { ServiceError } from '../errors.ts'
import { newId } from '../ids.ts'
import { auditEntry } from '../store/audit.ts'
import type { KeyRow } from '../store/schema.ts'
import type { KeySecretRow } from '../store/schema-keys.ts'
import { all, change, first, prepare, type Store, type Unit } from '../store/store.ts'
import type { Caller } from './caller.ts'
import { firstSecret } from './rows.ts'
import type { Seal } from './seal.ts'
import { hashSecret, mint } from './secret.ts'

/** Secrets of one key that count at a time: more are a loop and no rotation. */
const mostSecrets = 100
/** A rotation's secret is told again for the overlap, and no longer than this, in seconds. */
const longestSealedSeconds = 86_400

/** A secret that somebody came with: its row, and that of its key. */
export interface FoundSecret {
  key: KeyRow
  secret: KeySecretRow
}

export interface RotationOrder {
  /** How long the secret that was the newest goes on counting. */
  overlapSeconds: number
  /** The secret can be asked for again, where the answer may be lost. */
  keep: boolean
}

/** A new secret for a key that has none yet. */
export function newSecret(
  pepper: string,
  keyId: string,
  mode: Mode,
  at: number
): { secret: string; row: KeySecretRow } {
  const secret = mint(mode)
  const row: KeySecretRow = {
    id: newId('sec'),
    key_id: keyId,
    hash: hashSecret(pepper, secret),
    pepper_version: 1,
    prefix: secret.slice(0, 12),
    last_four: secret.slice(-4),
    created_at: at,
    expires_at: null,
    last_used_at: null,
    last_used_from: null,
    sealed: null,
    sealed_until: null
  }
  return { secret, row }
}

/** The secrets of keys: several of one key count at a time, each to its own end. */
export function createSecrets(store: Store, pepper: string, seal: Seal) {
  const { build } = store
  const byHash = prepare<{ hash: string }, KeySecretRow>(p =>
    build.selectFrom('key_secrets').selectAll().where('hash', '=', p.hash)
  )
  const keyById = prepare<{ id: string }, KeyRow>(p => build.selectFrom('keys').selectAll().where('id', '=', p.id))
  const keyByHash = prepare<{ hash: string }, KeyRow>(p =>
    build.selectFrom('keys').selectAll().where('hash', '=', p.hash)
  )
  const touchKey = prepare<{ id: string; at: number }, unknown>(p =>
    build.updateTable('keys').set({ last_used_at: p.at }).where('id', '=', p.id)
  )
  const touchSecret = prepare<{ id: string; at: number; from: string | null }, unknown>(p =>
    build.updateTable('key_secrets').set({ last_used_at: p.at, last_used_from: p.from }).where('id', '=', p.id)
  )
  const insert = (row: KeySecretRow) => build.insertInto('key_secrets').values(row)
  const counting = (keyIds: readonly string[], at: number) =>
    build
      .selectFrom('key_secrets')
      .selectAll()
      .where('key_id', 'in', keyIds)
      .where(eb => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', at)]))
      .orderBy('id', 'desc')
  /** The newest is the one without an end, whatever the clocks of replicas say of the others. */
  const ordered = (rows: KeySecretRow[]) =>
    rows.sort((one, other) => Number(one.expires_at !== null) - Number(other.expires_at !== null))

  /** A key that a release before this one made has no row for its secret. */
  function* adopt(key: KeyRow): Unit<void> {
    const any = build.selectFrom('key_secrets').select('id').where('key_id', '=', key.id).limit(1)
    if (yield* first(any)) return
    yield insert(firstSecret(key))
      .onConflict(conflict => conflict.doNothing())
      .compile()
  }
  const revoked = (id: string) => new ServiceError('conflict', `The key ${id} is revoked.`)

  return {
    insert,
    find: async (secret: string): Promise<FoundSecret | undefined> => {
      const hash = hashSecret(pepper, secret)
      const [found] = await store.read(byHash({ hash }))
      // The newest stands in the row of its key too.
      const [key] = await store.read(found ? keyById({ id: found.key_id }) : keyByHash({ hash }))
      return key && { key, secret: found ?? firstSecret(key) }
    },

    /** Finds the secrets of each key that count now, or would if the key were not revoked, newest first. */
    of: async (keys: readonly KeyRow[]): Promise<ReadonlyMap<string, KeySecretRow[]>> => {
      if (keys.length === 0) return new Map()
      const ids = keys.map(({ id }) => id)
      return Map.groupBy(ordered(await store.read(counting(ids, store.clock()).compile())), row => row.key_id)
    },

    touch: (keyId: string, secretId: string, at: number, from: string | null): Promise<void> =>
      store.write(function* () {
        yield touchKey({ id: keyId, at })
        yield touchSecret({ id: secretId, at, from })
      }),

    /** Gives a key another secret; the one that was the newest counts on for the overlap, the older ones to their own ends. */
    rotate: async (
      key: KeyRow,
      { overlapSeconds, keep }: RotationOrder,
      actor: Caller | null
    ): Promise<{ secret: string; key: KeyRow; rows: KeySecretRow[] }> => {
      const at = store.clock()
      const { secret, row } = newSecret(pepper, key.id, key.mode, at)
      const until = at + Math.min(overlapSeconds, longestSealedSeconds) * 1000
      const kept = keep ? { sealed: seal.close(secret), sealed_until: until } : {}
      const { hash, pepper_version, prefix, last_four } = row
      const renew = build.updateTable('keys').set({ hash, pepper_version, prefix, last_four })
      const end = build.updateTable('key_secrets').set({ expires_at: at + overlapSeconds * 1000 })
      return store.write(function* () {
        // First of all, so that of two rotations at a time the second sees what the first has done.
        if ((yield* change(renew.where('id', '=', key.id).where('revoked_at', 'is', null))) === 0) throw revoked(key.id)
        yield* adopt(key)
        const { length } = yield* all(counting([key.id], at))
        if (length >= mostSecrets)
          throw new ServiceError(
            'conflict',
            `The key ${key.id} has ${length} secrets that count: end one first, with DELETE /keys/${key.id}/secrets/{secretId}.`
          )
        yield end.where('key_id', '=', key.id).where('expires_at', 'is', null).compile()
        yield insert({ ...row, ...kept }).compile()
        yield* auditEntry(store, actor, 'key.rotated', key.id, { secret: row.id, overlapSeconds })
        const rows = ordered(yield* all(counting([key.id], at)))
        return { secret, key: (yield* first(keyById({ id: key.id })))!, rows }
      })
    },

    /** The secret of a rotation whose answer may have been lost. @throws 409 where it is told no more */
    again: async (keyId: string, secretId: string): Promise<string> => {
      const [row] = await store.read(
        build
          .selectFrom('key_secrets')
          .innerJoin('keys', 'keys.id', 'key_secrets.key_id')
          .select(['sealed', 'sealed_until', 'revoked_at'])
          .where('key_secrets.id', '=', secretId)
          .where('key_id', '=', keyId)
          .compile()
      )
      if (row && row.revoked_at !== null) throw revoked(keyId)
      if (!row?.sealed || row.sealed_until! <= store.clock())
        throw new ServiceError(
          'conflict',
          'This rotation was made, and its secret is not told any more: rotate again, with another Idempotency-Key.'
        )
      return seal.open(row.sealed)
    },

    /** Ends a secret at once. @throws 404, and 409 for the newest: without it the key would end with its overlap */
    end: (key: KeyRow, secretId: string, actor: Caller | null): Promise<void> =>
      store.write(function* () {
        yield* adopt(key)
        const mine = build.selectFrom('key_secrets').selectAll().where('key_id', '=', key.id)
        const row = yield* first(mine.where('id', '=', secretId))
        if (!row) throw new ServiceError('not_found', `The key ${key.id} has no secret ${secretId}.`)
        if (row.expires_at === null)
          throw new ServiceError(
            'conflict',
            `The secret ${secretId} is the newest of its key: rotate the key before, or revoke it.`
          )
        yield build.deleteFrom('key_secrets').where('id', '=', secretId).compile()
        yield* auditEntry(store, actor, 'key.secret_ended', key.id, { secret: secretId })
      })
  }
}
