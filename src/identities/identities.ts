import { CompiledQuery } from 'kysely'
import type { CreateIdentity, Identity, PatchIdentity } from '../../schemas/identities.ts'
import type { Key } from '../../schemas/keys.ts'
import { invalid, ServiceError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Caller } from '../keys/caller.ts'
import { endSubscriptions } from '../keys/ends.ts'
import { checkCidrs, checkQuota, checkScopes, futureMs, json, prefixesOf } from '../keys/rows.ts'
import type { Seal } from '../keys/seal.ts'
import { auditEntry } from '../store/audit.ts'
import { type PageRequest, toPage } from '../store/page.ts'
import type { CallerIdentityRow } from '../store/schema-identities.ts'
import { all, change, type Store, type Unit } from '../store/store.ts'
import { EgressError } from '../upstream/egress.ts'
import { checkClaims, overlap } from './claims.ts'
import { asKey, claimsOf, toIdentity } from './rows.ts'

export interface Identities {
  create: (input: CreateIdentity, actor: Caller) => Promise<Identity>
  list: (page: PageRequest & { service?: string }) => Promise<{ items: Identity[]; nextCursor: string | null }>
  get: (id: string) => Promise<Identity>
  /** A caller's own identity, in the form of a key. */
  self: (caller: Caller) => Promise<Key>
  patch: (id: string, input: PatchIdentity, actor: Caller) => Promise<Identity>
  revoke: (id: string, actor: Caller) => Promise<void>
}

export interface IdentitiesParts {
  store: Store
  seal: Seal
  /** Throws an EgressError where a URL may not be fetched. */
  checkUrl: (url: string) => Promise<unknown>
  /** One has changed: what is known of its tokens holds no more. */
  changed: (id: string) => void
}

/** What may be asked of tokens, and where keys may be fetched from. Throws a 400 for anything else. */
async function checkIdentity(
  input: Pick<CreateIdentity, 'mode' | 'issuer'> & Partial<CreateIdentity>,
  checkUrl: IdentitiesParts['checkUrl']
): Promise<void> {
  if (input.claims) checkClaims(input.claims)
  checkCidrs(input.cidrs)
  checkQuota(input.quota)
  checkScopes(input.mode, input.scopes)
  for (const [path, url] of [['/jwksUri', input.jwksUri] as const, ['/issuer', input.issuer] as const]) {
    if (!url) continue
    // An issuer whose keys lie elsewhere is a name and is not called.
    if (path === '/issuer' && input.jwksUri) continue
    if (!URL.canParse(url)) throw invalid(path, 'cannot be read as a URL')
    try {
      await checkUrl(url)
    } catch (error) {
      throw error instanceof EgressError ? invalid(path, `cannot be called: ${error.detail}`) : error
    }
  }
}

/** Throws a 409 where a token could be that of another identity too. Runs ahead of the writing, in its unit. */
function* checkApart(store: Store, row: Pick<CallerIdentityRow, 'id' | 'issuer' | 'audience' | 'claims'>): Unit<void> {
  // Two at a time would not see each other.
  if (store.dialect === 'postgres') yield CompiledQuery.raw('lock table caller_identities in share row exclusive mode')
  const others = store.build.selectFrom('caller_identities').select(['id', 'claims']).where('id', '<>', row.id)
  const same = others.where('issuer', '=', row.issuer).where('audience', '=', row.audience)
  for (const other of yield* all(same.where('revoked_at', 'is', null)))
    if (overlap(claimsOf(row), claimsOf(other)))
      throw new ServiceError(
        'conflict',
        `The claims overlap those of the identity ${other.id}: a token could be both. Ask both for a claim that tells them apart, or for another audience.`
      )
}

/** Who may call without a secret of ours: made, changed and taken away. */
export function createIdentities({ store, seal, checkUrl, changed }: IdentitiesParts): Identities {
  const { build } = store
  const table = () => build.updateTable('caller_identities')
  const load = async (id: string): Promise<CallerIdentityRow> => {
    const [row] = await store.read(build.selectFrom('caller_identities').selectAll().where('id', '=', id).compile())
    if (!row) throw new ServiceError('not_found', `There is no identity ${id}.`)
    return row
  }
  /** Columns of what was given; null takes a value away. */
  const columns = (input: PatchIdentity): Partial<CallerIdentityRow> => ({
    ...(input.audience !== undefined && { audience: input.audience }),
    ...(input.claims && { claims: JSON.stringify(input.claims) }),
    ...(input.revokedSubjects && { revoked_subjects: JSON.stringify(input.revokedSubjects) }),
    ...(input.jwksUri !== undefined && { jwks_uri: input.jwksUri }),
    ...(input.jwksToken !== undefined && { jwks_token: input.jwksToken && seal.close(input.jwksToken) }),
    ...(input.jwksCa !== undefined && { jwks_ca: input.jwksCa }),
    ...(input.scopes && { scopes: JSON.stringify(input.scopes) }),
    ...(input.name !== undefined && { name: input.name }),
    ...(input.channels !== undefined && { channels: json(input.channels) }),
    ...(input.templates !== undefined && { templates: json(input.templates) }),
    ...(input.recipientPrefixes !== undefined && { recipient_prefixes: json(prefixesOf(input.recipientPrefixes)) }),
    ...(input.cidrs !== undefined && { cidrs: json(input.cidrs) }),
    ...(input.defaultChannel !== undefined && { default_channel: input.defaultChannel }),
    ...(input.rateLimit !== undefined && { rate_limit: json(input.rateLimit) }),
    ...(input.quota !== undefined && { quota: json(input.quota) }),
    ...(input.expiresAt !== undefined && { expires_at: futureMs(input.expiresAt, store.clock()) })
  })
  const none = {
    ...{ name: null, jwks_uri: null, jwks_token: null, jwks_ca: null },
    ...{ channels: null, templates: null, recipient_prefixes: null, cidrs: null, default_channel: null },
    ...{ rate_limit: null, quota: null, expires_at: null, revoked_at: null, last_used_at: null, last_used_from: null }
  }
  const changing = async <T>(id: string, work: Promise<T>): Promise<T> => {
    try {
      return await work
    } finally {
      changed(id)
    }
  }

  return {
    create: async (input, actor) => {
      await checkIdentity(input, checkUrl)
      const row: CallerIdentityRow = {
        ...none,
        ...{ id: newId('idn'), service: input.service, mode: input.mode, issuer: input.issuer },
        ...{ audience: input.audience, claims: '', revoked_subjects: '[]', scopes: '' },
        ...{ managed_by: 'api', created_at: store.clock(), created_by: actor.keyId },
        ...columns(input)
      }
      const { service, mode, issuer, audience, claims, scopes } = input
      const unit = function* () {
        yield* checkApart(store, row)
        yield build.insertInto('caller_identities').values(row).compile()
        const told = { service, mode, issuer, audience, claims, scopes }
        yield* auditEntry(store, actor, 'identity.created', row.id, told)
      }
      await changing(row.id, store.write(unit))
      return toIdentity(row)
    },

    list: async ({ limit, after, service }) => {
      let query = build
        .selectFrom('caller_identities')
        .selectAll()
        .orderBy('id', 'desc')
        .limit(limit + 1)
      if (after) query = query.where('id', '<', after)
      if (service) query = query.where('service', '=', service)
      const page = toPage(await store.read(query.compile()), limit)
      return { ...page, items: page.items.map(toIdentity) }
    },
    get: async id => toIdentity(await load(id)),
    self: async caller => asKey(await load(caller.keyId)),

    patch: async (id, input, actor) => {
      const before = await load(id)
      if (before.revoked_at !== null) throw new ServiceError('conflict', `The identity ${id} is revoked.`)
      const jwksUri = input.jwksUri === undefined ? before.jwks_uri : input.jwksUri
      const given = { ...input, mode: before.mode, issuer: before.issuer, jwksUri: jwksUri ?? undefined }
      await checkIdentity(given as Parameters<typeof checkIdentity>[0], checkUrl)
      const changes = columns(input)
      const after = { ...before, ...changes }
      const unit = function* () {
        yield* checkApart(store, after)
        yield table().set(changes).where('id', '=', id).compile()
        const { claims, audience, scopes, revokedSubjects } = input
        const told = { fields: Object.keys(input), claims, audience, scopes, revokedSubjects }
        yield* auditEntry(store, actor, 'identity.changed', id, told)
      }
      await changing(id, store.write(unit))
      return toIdentity(after)
    },

    revoke: async (id, actor) => {
      await load(id)
      const unit = function* () {
        const revoke = table().set({ revoked_at: store.clock() })
        if ((yield* change(revoke.where('id', '=', id).where('revoked_at', 'is', null))) > 0)
          yield* auditEntry(store, actor, 'identity.revoked', id)
        yield* endSubscriptions(store, id)
      }
      await changing(id, store.write(unit))
    }
  }
}
