import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import { CompiledQuery } from 'kysely'
import type { CreateKey, Key, KeyWithSecret, PatchKey, Scope } from '../../schemas/keys.ts'
import { invalid, ServiceError } from '../errors.ts'
import { newId } from '../ids.ts'
import { inRanges } from '../ip.ts'
import { requirePrefix } from '../phone.ts'
import { auditEntry } from '../store/audit.ts'
import { type PageRequest, toPage } from '../store/page.ts'
import type { KeyRow } from '../store/schema.ts'
import { change, first, prepare, type Store } from '../store/store.ts'
import type { Caller } from './caller.ts'
import { hashSecret, isWellFormed, mint } from './secret.ts'

export interface KeyringOptions {
  store: Store
  pepper: string
  /** A key that is not in the store but in the settings: any string, service `admin`, every scope. */
  adminKey?: string
  /** How long a positive look-up may be believed, in milliseconds: the longest that another replica's revocation takes. */
  believeMs?: number
}

export interface Keyring {
  /** Who the secret belongs to, asked from an address that is undefined where nobody can read it. Throws 401 alike for unknown, expired and revoked keys. */
  authenticate: (secret: string, address: string | undefined) => Promise<Caller>
  create: (input: CreateKey, actor: Caller | null) => Promise<KeyWithSecret>
  list: (page: PageRequest & { service?: string }) => Promise<{ items: Key[]; nextCursor: string | null }>
  get: (id: string) => Promise<Key>
  /** The key that a caller carries. */
  self: (caller: Caller) => Promise<Key>
  patch: (id: string, input: PatchKey, actor: Caller) => Promise<Key>
  revoke: (id: string, actor: Caller | null) => Promise<void>
  /** Makes a key if there is none at all, whoever else tries at this moment; undefined: there is one. */
  createFirst: (input: CreateKey) => Promise<KeyWithSecret | undefined>
  /** Ends the keys that starts of this server made for a service. */
  endStarted: (service: string) => Promise<void>
}

interface Believed {
  caller: Caller
  /** From when on it is refused: its expiry, or at once where it is revoked. */
  deadAt: number
  until: number
}
const adminId = 'key_admin'
const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())
const parsed = <T>(text: string | null): T | null => (text === null ? null : (JSON.parse(text) as T))
const unauthenticated = () =>
  new ServiceError('unauthenticated', 'The key is unknown, expired or revoked.', {
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' }
  })

function toCaller(row: KeyRow): Caller {
  const set = (text: string | null) => (text === null ? undefined : new Set(JSON.parse(text) as string[]))
  return {
    keyId: row.id,
    service: row.service,
    mode: row.mode,
    scopes: new Set(JSON.parse(row.scopes) as Scope[]),
    channels: set(row.channels),
    templates: set(row.templates),
    recipientPrefixes: parsed<string[]>(row.recipient_prefixes) ?? undefined,
    cidrs: parsed<string[]>(row.cidrs) ?? undefined,
    defaultChannel: row.default_channel ?? undefined
  }
}

const toKey = (row: KeyRow): Key => ({
  id: row.id,
  service: row.service,
  name: row.name,
  mode: row.mode,
  scopes: JSON.parse(row.scopes),
  channels: parsed(row.channels),
  templates: parsed(row.templates),
  recipientPrefixes: parsed(row.recipient_prefixes),
  cidrs: parsed(row.cidrs),
  defaultChannel: row.default_channel,
  prefix: row.prefix,
  lastFour: row.last_four,
  createdAt: new Date(row.created_at).toISOString(),
  createdBy: row.created_by,
  expiresAt: iso(row.expires_at),
  revokedAt: iso(row.revoked_at),
  lastUsedAt: iso(row.last_used_at)
})

function checkCidrs(cidrs: readonly string[] | null | undefined): void {
  for (const [i, text] of (cidrs ?? []).entries()) {
    if (!ipaddr.isValidCIDR(text) && !ipaddr.isValid(text))
      throw invalid(`/cidrs/${i}`, 'must be an address or a CIDR range, e.g. 10.0.0.0/8')
  }
}

function checkScopes(mode: string, scopes: readonly Scope[] | undefined): void {
  const at = mode === 'test' ? (scopes?.indexOf('admin') ?? -1) : -1
  if (at >= 0) throw invalid(`/scopes/${at}`, 'admin is for live keys alone: a test key administers nothing')
}

const prefixesOf = (texts: readonly string[] | null | undefined): string[] | undefined =>
  texts?.map((text, i) => requirePrefix(text, `/recipientPrefixes/${i}`))

const futureMs = (text: string | null | undefined, now: number): number | null => {
  if (!text) return null
  const ms = Date.parse(text)
  if (ms <= now) throw invalid('/expiresAt', 'must lie in the future')
  return ms
}
const json = (value: unknown): string | null => (value === undefined || value === null ? null : JSON.stringify(value))

export function createKeyring({ store, pepper, adminKey, believeMs = 3000 }: KeyringOptions): Keyring {
  const { build } = store
  const byHash = prepare<{ hash: string }, KeyRow>(p => build.selectFrom('keys').selectAll().where('hash', '=', p.hash))
  const touch = prepare<{ id: string; at: number }, unknown>(p =>
    build.updateTable('keys').set({ last_used_at: p.at }).where('id', '=', p.id)
  )
  const adminHash = adminKey ? hashSecret(pepper, adminKey) : undefined
  const admin: Caller = { keyId: adminId, service: 'admin', mode: 'live', scopes: new Set(['admin']) }
  const adminView: Key = {
    id: adminId,
    service: 'admin',
    name: 'ADMIN_KEY of the settings',
    mode: 'live',
    scopes: ['admin'],
    ...{ channels: null, templates: null, recipientPrefixes: null, cidrs: null, defaultChannel: null },
    ...{ prefix: '', lastFour: '' },
    createdAt: new Date().toISOString(),
    createdBy: 'settings',
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null
  }
  // Believed by a salted digest, so that no secret stays in memory; bounded, so that garbage cannot grow it.
  const salt = randomBytes(16).toString('hex')
  const believed = new Map<string, Believed>()
  // Counts the changes: what was read before one must not be believed after it.
  let changed = 0
  const forget = (): void => {
    changed++
    believed.clear()
  }

  const load = async (id: string): Promise<KeyRow> => {
    const [row] = await store.read(build.selectFrom('keys').selectAll().where('id', '=', id).compile())
    if (!row) throw new ServiceError('not_found', `There is no key ${id}.`)
    return row
  }
  const believe = (digest: string, entry: Believed): Believed => {
    if (believed.size >= 10_000) believed.clear()
    believed.set(digest, entry)
    return entry
  }
  const check = ({ caller, deadAt }: Believed, address: string | undefined): Caller => {
    if (deadAt <= store.clock()) throw unauthenticated()
    if (caller.cidrs && (address === undefined || !inRanges(address, caller.cidrs)))
      throw new ServiceError('forbidden', 'This key may not be used from this address.')
    return caller
  }

  const add = async (
    input: CreateKey,
    actor: Caller | null,
    onlyFirst: boolean
  ): Promise<KeyWithSecret | undefined> => {
    checkCidrs(input.cidrs)
    checkScopes(input.mode, input.scopes)
    const secret = mint(input.mode)
    const row: KeyRow = {
      id: newId('key'),
      hash: hashSecret(pepper, secret),
      pepper_version: 1,
      prefix: secret.slice(0, 12),
      last_four: secret.slice(-4),
      service: input.service,
      name: input.name ?? null,
      mode: input.mode,
      scopes: JSON.stringify(input.scopes),
      channels: json(input.channels),
      templates: json(input.templates),
      recipient_prefixes: json(prefixesOf(input.recipientPrefixes)),
      cidrs: json(input.cidrs),
      default_channel: input.defaultChannel ?? null,
      expires_at: futureMs(input.expiresAt, store.clock()),
      revoked_at: null,
      last_used_at: null,
      created_at: store.clock(),
      created_by: actor?.keyId ?? 'start'
    }
    const made = await store.write(function* () {
      if (onlyFirst && store.dialect === 'postgres')
        yield CompiledQuery.raw('lock table keys in share row exclusive mode')
      if (onlyFirst && (yield* first(build.selectFrom('keys').select('id').limit(1)))) return false
      yield build.insertInto('keys').values(row).compile()
      yield auditEntry(store, actor, 'key.created', row.id, {
        service: row.service,
        mode: row.mode,
        scopes: input.scopes
      })
      return true
    })
    return made ? { ...toKey(row), secret } : undefined
  }

  return {
    authenticate: async (secret, address) => {
      const digest = hash('sha256', salt + secret)
      const hit = believed.get(digest)
      if (hit && hit.until > Date.now()) return check(hit, address)
      const until = Date.now() + believeMs
      const hashed = hashSecret(pepper, secret)
      if (adminHash && timingSafeEqual(Buffer.from(hashed), Buffer.from(adminHash))) {
        return believe(digest, { caller: admin, deadAt: Number.POSITIVE_INFINITY, until }).caller
      }
      if (!isWellFormed(secret)) throw unauthenticated()
      const before = changed
      const [row] = await store.read(byHash({ hash: hashed }))
      if (!row) throw unauthenticated()
      const deadAt = row.revoked_at ?? row.expires_at ?? Number.POSITIVE_INFINITY
      const entry = { caller: toCaller(row), deadAt, until }
      const caller = check(changed === before ? believe(digest, entry) : entry, address)
      if (store.clock() - (row.last_used_at ?? 0) > 60_000) {
        // Beside the request: a full disk must not keep a valid key from reading, and the next look-up tells it again.
        store
          .write(function* () {
            yield touch({ id: row.id, at: store.clock() })
          })
          .catch(() => {})
      }
      return caller
    },

    create: async (input, actor) => (await add(input, actor, false))!,
    createFirst: input => add(input, null, true),
    endStarted: async service => {
      const started = build.updateTable('keys').set({ revoked_at: store.clock() }).where('created_by', '=', 'start')
      await store.write(function* () {
        yield started.where('service', '=', service).where('revoked_at', 'is', null).compile()
      })
      forget()
    },

    list: async ({ limit, after, service }) => {
      let query = build
        .selectFrom('keys')
        .selectAll()
        .orderBy('id', 'desc')
        .limit(limit + 1)
      if (after) query = query.where('id', '<', after)
      if (service) query = query.where('service', '=', service)
      const page = toPage(await store.read(query.compile()), limit)
      return { ...page, items: page.items.map(toKey) }
    },

    get: async id => toKey(await load(id)),
    self: async caller => (caller === admin ? adminView : toKey(await load(caller.keyId))),

    patch: async (id, input, actor) => {
      checkCidrs(input.cidrs)
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
        ...('defaultChannel' in input && { default_channel: input.defaultChannel ?? null }),
        ...('expiresAt' in input && { expires_at: futureMs(input.expiresAt, store.clock()) })
      }
      await store.write(function* () {
        yield build.updateTable('keys').set(changes).where('id', '=', id).compile()
        yield auditEntry(store, actor, 'key.changed', id, { fields: Object.keys(input) })
      })
      forget()
      return toKey({ ...before, ...changes })
    },

    revoke: async (id, actor) => {
      await load(id)
      await store.write(function* () {
        const changed = yield* change(
          build
            .updateTable('keys')
            .set({ revoked_at: store.clock() })
            .where('id', '=', id)
            .where('revoked_at', 'is', null)
        )
        if (changed > 0) yield auditEntry(store, actor, 'key.revoked', id)
      })
      forget()
    }
  }
}
