import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { CompiledQuery, sql } from 'kysely'
import type { CreateKey, Key, KeyWithSecret, PatchKey, RotateKey } from '../../schemas/keys.ts'
import { ServiceError } from '../errors.ts'
import { newId } from '../ids.ts'
import { inRanges } from '../ip.ts'
import { auditEntry } from '../store/audit.ts'
import { type PageRequest, toPage } from '../store/page.ts'
import type { KeyRow } from '../store/schema.ts'
import { change, first, type Store, type Unit } from '../store/store.ts'
import { createBelief } from './belief.ts'
import type { Caller } from './caller.ts'
import { endSubscriptions } from './ends.ts'
import {
  adminCaller,
  checkCidrs,
  checkQuota,
  checkScopes,
  futureMs,
  json,
  prefixesOf,
  toCaller,
  toKey
} from './rows.ts'
import { createSeal } from './seal.ts'
import { hashSecret, isWellFormed } from './secret.ts'
import { createSecrets, newSecret } from './secrets.ts'

export interface KeyringOptions {
  store: Store
  pepper: string
  /** A key that is not in the store but in the settings: any string, service `admin`, every scope. */
  adminKey?: string
  /** How long a positive look-up may be believed, in milliseconds: the longest that another replica's revocation takes. */
  believeMs?: number
  /** What that time is counted by, in milliseconds; a clock that nobody sets. */
  now?: () => number
}

export interface Keyring {
  /** Who the secret belongs to, asked from an address that is undefined where nobody can read it. Throws 401 alike for unknown, expired and revoked keys. */
  authenticate: (secret: string, address: string | undefined) => Promise<Caller>
  create: (input: CreateKey, actor: Caller | null) => Promise<KeyWithSecret>
  /** @param page what is wanted of them; absent: all */
  list: (page: PageRequest & KeyFilter) => Promise<{ items: Key[]; nextCursor: string | null }>
  get: (id: string) => Promise<Key>
  /** The key that a caller carries. */
  self: (caller: Caller) => Promise<Key>
  patch: (id: string, input: PatchKey, actor: Caller) => Promise<Key>
  /** Answers the ids of the subscriptions that end with it. */
  revoke: (id: string, actor: Caller | null) => Promise<string[]>
  /** Gives a key another secret beside those that it has. @param keep its answer may be lost: `again` can tell it */
  rotate: (id: string, input: RotateKey, actor: Caller | null, keep: boolean) => Promise<KeyWithSecret>
  /** The newest secret of a key as a rotation answered it, for the overlap and at most a day; then throws 409. */
  again: (key: Key) => Promise<string>
  /** Ends one secret of a key at once. */
  endSecret: (id: string, secretId: string, actor: Caller | null) => Promise<void>
  /** Makes a key if there is none at all, whoever else tries at this moment; undefined: there is one. */
  createFirst: (input: CreateKey) => Promise<KeyWithSecret | undefined>
  /** Ends the keys that starts of this server made for a service. */
  endStarted: (service: string) => Promise<void>
}

/** Which keys are listed. */
export interface KeyFilter {
  service?: string
  /** A part of the name, in either case. */
  name?: string
  /** How one of its secrets ends, the newest or an older one that is still kept. */
  lastFour?: string
  /** Only those that were not used since that instant, in milliseconds since 1970. */
  unusedSince?: number
}

/** What a look-up found. */
interface Known {
  caller: Caller
  secretId: string
  /** From when on it is refused: its end or that of its key, whichever comes first; 0 where it is revoked. */
  deadAt: number
  /** When a use of it was noted last. */
  usedAt: number
}
/** A text as LIKE takes it for itself, with ! as its escape. */
const literal = (text: string): string => text.replace(/[!%_]/g, '!$&')
/** A use is noted when the last note is so old: with the time that the note takes, what is told is at most a minute old. */
const noteMs = 50_000
const never = Number.POSITIVE_INFINITY
const unauthenticated = () =>
  new ServiceError('unauthenticated', 'The key is unknown, expired or revoked.', {
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' }
  })

export function createKeyring({ store, pepper, adminKey, believeMs = 3000, now }: KeyringOptions): Keyring {
  const { build } = store
  const secrets = createSecrets(store, pepper, createSeal(pepper))
  const adminHash = adminKey ? hashSecret(pepper, adminKey) : undefined
  const adminView: Key = {
    id: adminCaller.keyId,
    service: 'admin',
    name: 'ADMIN_KEY of the settings',
    mode: 'live',
    scopes: ['admin'],
    ...{ channels: null, templates: null, recipientPrefixes: null, cidrs: null, defaultChannel: null },
    ...{ rateLimit: null, quota: null },
    ...{ prefix: '', lastFour: '' },
    createdAt: new Date().toISOString(),
    createdBy: 'settings',
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
    secrets: []
  }
  const salt = randomBytes(16).toString('hex')
  const belief = createBelief<Known>({ believeMs, ...(now && { now }) })

  const endingIn = (lastFour: string) =>
    build.selectFrom('key_secrets').select('key_id').where('last_four', '=', lastFour)
  const load = async (id: string): Promise<KeyRow> => {
    const [row] = await store.read(build.selectFrom('keys').selectAll().where('id', '=', id).compile())
    if (!row) throw new ServiceError('not_found', `There is no key ${id}.`)
    return row
  }
  const view = async (row: KeyRow): Promise<Key> => toKey(row, (await secrets.of([row])).get(row.id) ?? [])
  /** A change is told to nobody as it was before it, even where nobody knows whether it was kept. */
  const changing = async <T>(id: string, work: Promise<T>): Promise<T> => {
    try {
      return await work
    } finally {
      belief.forget(id)
    }
  }
  const find = async (secret: string): Promise<Known | undefined> => {
    if (adminHash && timingSafeEqual(Buffer.from(hashSecret(pepper, secret)), Buffer.from(adminHash)))
      return { caller: adminCaller, secretId: '', deadAt: never, usedAt: never }
    const found = isWellFormed(secret) ? await secrets.find(secret) : undefined
    if (!found) return undefined
    const { key, secret: of } = found
    const deadAt = key.revoked_at === null ? Math.min(key.expires_at ?? never, of.expires_at ?? never) : 0
    return { caller: toCaller(key), secretId: of.id, deadAt, usedAt: of.last_used_at ?? 0 }
  }
  const note = (known: Known, at: number, address: string | undefined): void => {
    known.usedAt = at
    // Beside the request: a full disk must not keep a valid key from reading, and the next look-up tells it again.
    secrets.touch(known.caller.keyId, known.secretId, at, address ?? null).catch(() => {})
  }

  function* end(id: string, actor: Caller | null): Unit<string[]> {
    const revoke = build.updateTable('keys').set({ revoked_at: store.clock() })
    const ended = yield* change(revoke.where('id', '=', id).where('revoked_at', 'is', null))
    yield build.updateTable('key_secrets').set({ sealed: null }).where('key_id', '=', id).compile()
    const subscriptions = yield* endSubscriptions(store, id)
    if (ended > 0)
      yield* auditEntry(store, actor, 'key.revoked', id, subscriptions.length > 0 ? { subscriptions } : undefined)
    return subscriptions
  }

  const add = async (
    input: CreateKey,
    actor: Caller | null,
    onlyFirst: boolean
  ): Promise<KeyWithSecret | undefined> => {
    checkCidrs(input.cidrs)
    checkQuota(input.quota)
    checkScopes(input.mode, input.scopes)
    const id = newId('key')
    const at = store.clock()
    const { secret, row: secretRow } = newSecret(pepper, id, input.mode, at)
    const { hash, pepper_version, prefix, last_four } = secretRow
    const row: KeyRow = {
      ...{ id, hash, pepper_version, prefix, last_four },
      service: input.service,
      name: input.name ?? null,
      mode: input.mode,
      scopes: JSON.stringify(input.scopes),
      channels: json(input.channels),
      templates: json(input.templates),
      recipient_prefixes: json(prefixesOf(input.recipientPrefixes)),
      cidrs: json(input.cidrs),
      default_channel: input.defaultChannel ?? null,
      rate_limit: json(input.rateLimit),
      quota: json(input.quota),
      expires_at: futureMs(input.expiresAt, at),
      revoked_at: null,
      last_used_at: null,
      created_at: at,
      created_by: actor?.keyId ?? 'start'
    }
    const made = await store.write(function* () {
      if (onlyFirst && store.dialect === 'postgres')
        yield CompiledQuery.raw('lock table keys in share row exclusive mode')
      if (onlyFirst && (yield* first(build.selectFrom('keys').select('id').limit(1)))) return false
      yield build.insertInto('keys').values(row).compile()
      yield secrets.insert(secretRow).compile()
      yield* auditEntry(store, actor, 'key.created', row.id, {
        service: row.service,
        mode: row.mode,
        scopes: input.scopes
      })
      return true
    })
    return made ? { ...toKey(row, [secretRow]), secret } : undefined
  }

  return {
    authenticate: async (secret, address) => {
      const digest = hash('sha256', salt + secret)
      const known = belief.find(digest) ?? (await belief.look(digest, () => find(secret)))
      const at = store.clock()
      if (!known || known.deadAt <= at) throw unauthenticated()
      const { caller } = known
      if (caller.cidrs && (address === undefined || !inRanges(address, caller.cidrs)))
        throw new ServiceError('forbidden', 'This key may not be used from this address.')
      if (at - known.usedAt > noteMs) note(known, at, address)
      return caller
    },

    create: async (input, actor) => (await add(input, actor, false))!,
    createFirst: input => add(input, null, true),
    endStarted: async service => {
      const mine = build.selectFrom('keys').select('id').where('created_by', '=', 'start')
      for (const { id } of await store.read(
        mine.where('service', '=', service).where('revoked_at', 'is', null).compile()
      ))
        await changing(
          id,
          store.write(() => end(id, null))
        )
    },

    list: async ({ limit, after, service, name, lastFour, unusedSince }) => {
      let query = build
        .selectFrom('keys')
        .selectAll()
        .orderBy('id', 'desc')
        .limit(limit + 1)
      if (after) query = query.where('id', '<', after)
      if (service) query = query.where('service', '=', service)
      if (name) query = query.where(sql<boolean>`lower(name) like lower(${`%${literal(name)}%`}) escape '!'`)
      if (lastFour)
        query = query.where(eb => eb.or([eb('last_four', '=', lastFour), eb('id', 'in', endingIn(lastFour))]))
      if (unusedSince !== undefined)
        query = query.where(eb => eb.or([eb('last_used_at', 'is', null), eb('last_used_at', '<', unusedSince)]))
      const page = toPage(await store.read(query.compile()), limit)
      const of = await secrets.of(page.items)
      return { ...page, items: page.items.map(row => toKey(row, of.get(row.id) ?? [])) }
    },

    get: async id => view(await load(id)),
    self: async caller => (caller.keyId === adminCaller.keyId ? adminView : view(await load(caller.keyId))),

    patch: async (id, input, actor) => {
      checkCidrs(input.cidrs)
      checkQuota(input.quota)
      const before = await load(id)
      if (before.revoked_at !== null) throw new ServiceError('conflict', `The key ${id} is revoked.`)
      checkScopes(before.mode, input.scopes)
      const changes: Partial<KeyRow> = {
        ...(input.scopes && { scopes: JSON.stringify(input.scopes) }),
        ...('name' in input && { name: input.name ?? null }),
        ...('channels' in input && { channels: json(input.channels) }),
        ...('templates' in input && { templates: json(input.templates) }),
        ...('recipientPrefixes' in input && { recipient_prefixes: json(prefixesOf(input.recipientPrefixes)) }),
        ...('cidrs' in input && { cidrs: json(input.cidrs) }),
        ...('rateLimit' in input && { rate_limit: json(input.rateLimit) }),
        ...('quota' in input && { quota: json(input.quota) }),
        ...('defaultChannel' in input && { default_channel: input.defaultChannel ?? null }),
        ...('expiresAt' in input && { expires_at: futureMs(input.expiresAt, store.clock()) })
      }
      const unit = function* () {
        yield build.updateTable('keys').set(changes).where('id', '=', id).compile()
        yield* auditEntry(store, actor, 'key.changed', id, { fields: Object.keys(input) })
      }
      await changing(id, store.write(unit))
      return view({ ...before, ...changes })
    },

    revoke: async (id, actor) => {
      await load(id)
      return changing(
        id,
        store.write(() => end(id, actor))
      )
    },

    rotate: async (id, input, actor, keep) => {
      const key = await load(id)
      if (key.expires_at !== null && key.expires_at <= store.clock())
        throw new ServiceError('conflict', `The key ${id} has expired: give it another expiresAt first.`)
      const order = { overlapSeconds: input?.overlapSeconds ?? 86_400, keep }
      const made = await changing(id, secrets.rotate(key, order, actor))
      return { ...toKey(made.key, made.rows), secret: made.secret }
    },
    again: key => secrets.again(key.id, key.secrets[0]!.id),
    endSecret: async (id, secretId, actor) => changing(id, secrets.end(await load(id), secretId, actor))
  }
}
