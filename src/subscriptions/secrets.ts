import { createHmac, randomBytes } from 'node:crypto'
import type { CompiledQuery } from 'kysely'
import type { Seal } from '../keys/seal.ts'
import type { SubscriptionSecretRow } from '../store/schema-subscriptions.ts'
import { all, change, type Store, type Unit } from '../store/store.ts'

// The secrets that deliveries are signed with (docs/reliability.md P40, T39). They rest encrypted: we must sign with them.

/** Bytes of a secret. */
const secretBytes = 32

/** Makes a new secret, as Standard Webhooks write it. */
export const mintSecret = (): string => `whsec_${randomBytes(secretBytes).toString('base64')}`

/**
 * The `webhook-signature` of a body: `v1`, HMAC-SHA-256 over id, timestamp and body, one for each secret that counts.
 * @param timestamp seconds since 1970
 */
export function sign(secrets: readonly string[], id: string, timestamp: number, body: string): string {
  const signed = (secret: string): string => {
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
  }
  return secrets.map(signed).join(' ')
}

export interface Secrets {
  /** For a unit: a secret of a new subscription. */
  first: (subscriptionId: string, secret: string, now: number) => CompiledQuery
  /** Inside a unit: puts a new one in force; those before end after the overlap, and none of them later than it would have. */
  rotate: (subscriptionId: string, secret: string, times: { now: number; overlapMs: number }) => Unit<void>
  /** For a unit: all of a subscription go. */
  drop: (subscriptionId: string) => CompiledQuery
  /** Secrets that count now, the newest first. */
  current: (subscriptionId: string, now: number) => Promise<string[]>
}

export function createSecrets(store: Store, seal: Seal, newId: () => string): Secrets {
  const { build } = store
  const insert = (subscriptionId: string, secret: string, now: number): CompiledQuery => {
    const row: SubscriptionSecretRow = {
      id: newId(),
      subscription_id: subscriptionId,
      sealed: seal.close(secret),
      created_at: now,
      ends_at: null
    }
    return build.insertInto('subscription_secrets').values(row).compile()
  }
  const of = (subscriptionId: string) =>
    build.selectFrom('subscription_secrets').selectAll().where('subscription_id', '=', subscriptionId)
  return {
    first: insert,
    rotate: function* (subscriptionId, secret, { now, overlapMs }) {
      const before = build.updateTable('subscription_secrets').where('subscription_id', '=', subscriptionId)
      yield* change(before.set({ ends_at: now + overlapMs }).where('ends_at', 'is', null))
      yield* change(before.set({ ends_at: now + overlapMs }).where('ends_at', '>', now + overlapMs))
      const over = (yield* all(of(subscriptionId))).filter(row => row.ends_at !== null && row.ends_at <= now)
      for (const { id } of over) yield build.deleteFrom('subscription_secrets').where('id', '=', id).compile()
      yield insert(subscriptionId, secret, now)
    },
    drop: subscriptionId =>
      build.deleteFrom('subscription_secrets').where('subscription_id', '=', subscriptionId).compile(),
    current: async (subscriptionId, now) => {
      const rows = await store.read(of(subscriptionId).orderBy('created_at', 'desc').orderBy('id', 'desc').compile())
      return rows.filter(row => row.ends_at === null || row.ends_at > now).map(row => seal.open(row.sealed))
    }
  }
}
