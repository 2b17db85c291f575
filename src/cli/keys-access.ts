import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { CreateKey, Key, KeyWithSecret } from '../../schemas/keys.ts'
import { loadConfig } from '../config.ts'
import type { Caller } from '../keys/caller.ts'
import { createKeyring } from '../keys/keyring.ts'
import { createLogger } from '../logger.ts'
import { findPepper } from '../start/pepper.ts'
import { requirePepper } from '../store/identity.ts'
import { openStore } from '../store/index.ts'
import { pageRequest } from '../store/page.ts'

/** What the command does with keys, wherever they are. */
export interface KeyAccess {
  /** @param query `service`, `unusedSince` (an instant) */
  list: (query: Record<string, string>) => AsyncIterable<Key>
  make: (input: CreateKey) => Promise<KeyWithSecret>
  rotate: (id: string, overlapSeconds?: number) => Promise<KeyWithSecret>
  revoke: (id: string) => Promise<void>
  endSecret: (id: string, secretId: string) => Promise<void>
  close: () => Promise<void>
}

/** What is to be told in one sentence, without a stack. */
export class Refused extends Error {}

const longest = 100
async function* pages(
  page: (cursor: string | undefined) => Promise<{ items: Key[]; nextCursor: string | null }>
): AsyncGenerator<Key> {
  for (let cursor: string | undefined; ; ) {
    const { items, nextCursor } = await page(cursor)
    yield* items
    if (nextCursor === null) return
    cursor = nextCursor
  }
}

/** Keys of a running server, by its API. */
export function overHttp(url: string, key: string): KeyAccess {
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const request = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
    const answer = await fetch(url + path, request).catch(error => {
      const { cause, message } = error as Error & { cause?: { code?: string } }
      throw new Refused(`${url} cannot be reached (${cause?.code ?? message}).`)
    })
    const text = await answer.text()
    let said: { detail?: string } | undefined
    try {
      said = text === '' ? {} : JSON.parse(text)
    } catch {
      // Something in between answered: its page says nothing.
    }
    if (!answer.ok || !said) throw new Refused(`${answer.status}: ${said?.detail ?? 'no reason that can be read'}`)
    return said
  }
  const at = (id: string) => `/keys/${encodeURIComponent(id)}`
  return {
    list: query =>
      pages(cursor => {
        const search = new URLSearchParams({ ...query, limit: String(longest), ...(cursor && { cursor }) })
        return call('GET', `/keys?${search}`) as Promise<{ items: Key[]; nextCursor: string | null }>
      }),
    make: input => call('POST', '/keys', input) as Promise<KeyWithSecret>,
    rotate: (id, overlapSeconds) =>
      call(
        'POST',
        `${at(id)}/rotate`,
        overlapSeconds === undefined ? {} : { overlapSeconds }
      ) as Promise<KeyWithSecret>,
    revoke: async id => void (await call('DELETE', at(id))),
    endSecret: async (id, secretId) => void (await call('DELETE', `${at(id)}/secrets/${encodeURIComponent(secretId)}`)),
    close: async () => {}
  }
}

/** Who changes keys at the terminal, in the audit. */
const terminal: Caller = { keyId: 'terminal', service: '', mode: 'live', scopes: new Set(['admin']) }

/** Keys in the store of the settings: of a server that is stopped (SQLite), or that shares it (PostgreSQL). */
export async function inStore(env: Readonly<Record<string, string | undefined>>): Promise<KeyAccess> {
  const { DATABASE_URL, DATA_DIR, KEY_PEPPER } = loadConfig(env)
  if (!DATABASE_URL && !existsSync(join(DATA_DIR, 'switchboard.db')))
    throw new Refused(
      `DATA_DIR (${DATA_DIR}) holds no store: start the server once, or set DATA_DIR or DATABASE_URL as it has them.`
    )
  const pepper = findPepper(KEY_PEPPER, DATA_DIR)
  const secrets = [pepper, DATABASE_URL].filter(secret => secret !== undefined)
  const log = createLogger('warn', secrets, { write: line => void process.stderr.write(line) })
  const store = await openStore({ ...(DATABASE_URL && { databaseUrl: DATABASE_URL }), directory: DATA_DIR }, log)
  try {
    await requirePepper(store, pepper)
  } catch (error) {
    await store.close()
    throw error
  }
  const keyring = createKeyring({ store, pepper })
  return {
    list: ({ service, unusedSince }) =>
      pages(cursor =>
        keyring.list({
          ...pageRequest({ limit: longest, ...(cursor && { cursor }) }),
          ...(service && { service }),
          ...(unusedSince && { unusedSince: Date.parse(unusedSince) })
        })
      ),
    make: input => keyring.create(input, terminal),
    rotate: (id, overlapSeconds) =>
      keyring.rotate(id, overlapSeconds === undefined ? null : { overlapSeconds }, terminal, false),
    revoke: async id => void (await keyring.revoke(id, terminal)),
    endSecret: (id, secretId) => keyring.endSecret(id, secretId, terminal),
    close: store.close
  }
}
