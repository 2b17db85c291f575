import type { TemplateDefinition } from '../adapters/adapter.ts'
import { CallFailed, type DispatchChannel, type ProviderClient } from '../dispatch/provider-client.ts'

/** How long a definition is believed. Templates change by a review that takes minutes at least. */
const lifeMs = 5 * 60_000
/** A name that was not there is asked for again sooner: people create a template and then try it. */
const missLifeMs = 15_000
/** Pages of a walk at most; 100 a page are more than WhatsApp allows an account. */
const maxPages = 80
/** A send must not wait for a definition longer than its caller waits for the send. */
const timeoutMs = 8000

/** How often in a minute one name is asked for again because of a refusal: a caller in error must not use up the account's calls. */
const mostDoubts = 10
const doubtWindowMs = 60_000

/** What is known of a template. */
export interface Known {
  /** All its languages; none: the provider does not have it. */
  items: TemplateDefinition[]
  /** It was asked for earlier: a refusal must not rest on it alone (docs/api.md 5). */
  remembered: boolean
}

export interface Definitions {
  /** What is remembered, else what the provider says. Throws ServiceError when the provider cannot be asked. */
  find: (channel: DispatchChannel, name: string) => Promise<Known>
  /** All languages, asked of the provider now. */
  ask: (channel: DispatchChannel, name: string) => Promise<TemplateDefinition[]>
  /**
   * To be called when a template was made, changed or deleted: nothing that was asked before is believed of that name.
   * @param name absent: of none
   */
  forget: (name?: string) => void
  /** Asks for all templates of each channel whose definitions were used since the last time. Throws ServiceError. */
  refreshUsed: (of: (channel: DispatchChannel) => boolean) => Promise<void>
  /**
   * Takes note that something was refused because of a template, here or by the provider.
   * @returns whether it is to be asked for again; false: that has been done often enough of late
   */
  doubt: (channel: DispatchChannel, name: string) => boolean
  /** Known names that look like this one, nearest first. */
  near: (channel: DispatchChannel, name: string) => Promise<string[]>
}

interface Entry {
  items: TemplateDefinition[]
  until: number
}

/** A template that is not what it was. */
export interface TemplateChange {
  channel: string
  name: string
  language: string
  /** Its status, before and now; null: it was, or is, not there. */
  before: string | null
  now: string | null
}

/**
 * The cache of template definitions: one refresh at a time for a name, however many sends wait for it.
 * @param onChange told when the provider says another status of a template than it did before
 */
export function createDefinitions(
  providerClient: ProviderClient,
  onChange: (change: TemplateChange) => void = () => {}
): Definitions {
  const cache = new Map<string, Entry>()
  const doubts = new Map<string, { since: number; count: number }>()
  /** By the channel, whose definitions a send has needed. */
  const used = new Map<string, DispatchChannel>()
  const running = new Map<string, Promise<TemplateDefinition[]>>()
  /** How often something was forgotten: what was asked before that is not kept. */
  let forgotten = 0

  const walk = async (channel: DispatchChannel, name: string | undefined): Promise<TemplateDefinition[]> => {
    const items: TemplateDefinition[] = []
    let cursor: string | undefined
    for (let page = 0; page < maxPages; page++) {
      const { output } = await providerClient
        .call('listTemplates', channel, { ...(name && { name }), ...(cursor && { cursor }), limit: 100 }, { timeoutMs })
        .catch(error => {
          throw error instanceof CallFailed ? error.toServiceError() : error
        })
      items.push(...output.items)
      if (output.nextCursor === null) break
      cursor = output.nextCursor
    }
    return items
  }
  const scope = (channel: DispatchChannel): string =>
    `${channel.mode} ${channel.id} ${channel.connectionId} ${JSON.stringify(channel.settings)}`
  const refresh = (channel: DispatchChannel, name: string | undefined): Promise<TemplateDefinition[]> => {
    const key = `${scope(channel)} ${name ?? ''}`
    const current = running.get(key)
    if (current) return current
    const before = forgotten
    const fresh = walk(channel, name).then(items => {
      if (forgotten !== before) return items
      // A provider that cannot filter has told us all the others as well.
      for (const each of new Set([...items.map(item => item.name), ...(name ? [name] : [])])) {
        const same = items.filter(item => item.name === each)
        if (cache.size >= 20_000) cache.clear()
        const before = cache.get(`${scope(channel)} ${each}`)?.items
        if (before) for (const change of changes(channel.id, before, same)) onChange(change)
        cache.set(`${scope(channel)} ${each}`, {
          items: same,
          until: performance.now() + (same.length > 0 ? lifeMs : missLifeMs)
        })
      }
      if (name === undefined) cache.set(`${scope(channel)} `, { items, until: performance.now() + lifeMs })
      return items
    })
    running.set(key, fresh)
    return fresh.finally(() => running.get(key) === fresh && running.delete(key))
  }
  const ask: Definitions['ask'] = async (channel, name) =>
    (await refresh(channel, name)).filter(item => item.name === name)

  return {
    find: async (channel, name) => {
      used.set(`${channel.mode} ${channel.id}`, channel)
      const hit = cache.get(`${scope(channel)} ${name}`)
      if (hit && hit.until > performance.now()) return { items: hit.items, remembered: true }
      return { items: await ask(channel, name), remembered: false }
    },
    ask,
    doubt: (channel, name) => {
      const key = `${scope(channel)} ${name}`
      const now = performance.now()
      const last = doubts.get(key)
      const current = last && now - last.since < doubtWindowMs ? last : { since: now, count: 0 }
      if (doubts.size >= 20_000) doubts.clear()
      doubts.set(key, current)
      if (++current.count > mostDoubts) return false
      cache.delete(key)
      return true
    },
    // In every channel and mode: several channels may share an account, and a name too many costs one question.
    forget: name => {
      forgotten++
      running.clear()
      for (const key of cache.keys()) if (name === undefined || key.endsWith(` ${name}`)) cache.delete(key)
    },
    refreshUsed: async of => {
      const channels = [...used.values()].filter(of)
      used.clear()
      const failures: unknown[] = []
      // One account that does not answer is asked again next time, and stops none of the others.
      for (const channel of channels)
        await refresh(channel, undefined).catch(error => {
          used.set(`${channel.mode} ${channel.id}`, channel)
          failures.push(error)
        })
      if (failures.length > 0) throw failures[0]
    },
    near: async (channel, name) => {
      // Cached too: a service that keeps sending a misspelt name must not use up the account's calls with it.
      const hit = cache.get(`${scope(channel)} `)
      const all = hit && hit.until > performance.now() ? hit.items : await refresh(channel, undefined)
      const names = [...new Set(all.filter(item => item.status === 'approved').map(item => item.name))]
      return names
        .map(candidate => ({ candidate, distance: distance(candidate, name) }))
        .filter(
          ({ candidate, distance: far }) =>
            far <= Math.max(2, name.length / 3) || candidate.includes(name) || name.includes(candidate)
        )
        .sort((a, b) => a.distance - b.distance)
        .slice(0, 3)
        .map(({ candidate }) => candidate)
    }
  }
}

/** Where the two say another status of one language. */
function changes(channel: string, before: TemplateDefinition[], after: TemplateDefinition[]): TemplateChange[] {
  const statuses = (items: TemplateDefinition[]) => new Map(items.map(({ language, status }) => [language, status]))
  const [old, fresh] = [statuses(before), statuses(after)]
  const [{ name } = { name: '' }] = [...before, ...after]
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .map(language => ({ language, before: old.get(language) ?? null, now: fresh.get(language) ?? null }))
    .filter(({ before, now }) => before !== now)
    .map(change => ({ channel, name, ...change }))
}

/** Edit distance (Levenshtein): names are short and this runs only for a name that does not exist. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]!
}
