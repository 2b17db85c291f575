import type { Readable } from 'node:stream'
import type { Contact, ContactImport } from '../../schemas/contacts.ts'
import type { Channels } from '../channels/channels.ts'
import { ask } from '../dispatch/ask.ts'
import type { DispatchChannel, ProviderClient } from '../dispatch/provider-client.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, requireRecipient } from '../keys/caller.ts'
import { type Book, type BookOf, toContact } from './book.ts'
import { fromCsv, type Line, MOST_ROWS, toCsv } from './csv.ts'

export interface ContactTable {
  /** All contacts of a channel as CSV. */
  export: (caller: Caller, channel: string | undefined) => Promise<{ csv: Readable; channel: string }>
  /** Makes or changes a contact for each row, once every row has been found right. */
  import: (caller: Caller, channel: string | undefined, bytes: Buffer, charset?: string) => Promise<ContactImport>
  /** Throws what `import` would throw before it takes the first row: for an answer that is given again. */
  requireRights: (caller: Caller, channel: string | undefined, bytes: Buffer, charset?: string) => Promise<void>
}

export interface ContactTableParts {
  providerClient: ProviderClient
  channels: Channels
  book: Book
}

const pageSize = 100
/** Cells of one commit: some ten milliseconds of work, in which nobody else is answered. */
const mostCells = 500

/** A commit for each row would take a disk write each, and one for all would hold everybody else up. */
function* commits(lines: readonly Line[]): Generator<Line[]> {
  let group: Line[] = []
  let cells = 0
  for (const line of lines) {
    const own = 2 + Object.keys(line.attributes).length
    if (group.length > 0 && cells + own > mostCells) {
      yield group
      group = []
      cells = 0
    }
    group.push(line)
    cells += own
  }
  if (group.length > 0) yield group
}

export function createContactTable({ providerClient, channels, book }: ContactTableParts): ContactTable {
  const keeps = (channel: DispatchChannel): boolean =>
    providerClient.adapter(channel.provider).operations.listContacts !== undefined
  /** The whole of a provider's contacts: which columns there are is known only at their end, so they are read before. */
  const theirs = async (channel: DispatchChannel): Promise<Contact[]> => {
    const all: Contact[] = []
    let cursor: string | null = null
    do {
      const place: { cursor?: string } = cursor === null ? {} : { cursor }
      const page = await ask(providerClient, 'listContacts', channel, { conditions: [], limit: pageSize, ...place })
      all.push(...page.items)
      cursor = page.nextCursor
      if (all.length > MOST_ROWS)
        throw new ServiceError(
          'unsupported',
          `Channel ${channel.id} (${channel.provider}) has more than ${MOST_ROWS} contacts, which its provider's pace does not let one request read: take GET /contacts with its cursors.`
        )
    } while (cursor !== null)
    return all
  }
  async function* ours(of: BookOf): AsyncIterable<Contact> {
    let after: string | undefined
    for (;;) {
      const rows = await book.list(of, { conditions: [] }, { limit: pageSize, ...(after !== undefined && { after }) })
      const page = rows.slice(0, pageSize)
      for (const row of page) yield toContact(row)
      if (rows.length <= pageSize) return
      after = page.at(-1)!.id
    }
  }
  async function* each(contacts: readonly Contact[]): AsyncIterable<Contact> {
    yield* contacts
  }

  /** The rows of a table, where the caller may take all of them into the channel's address book. */
  const linesFor = async (caller: Caller, id: string | undefined, bytes: Buffer, charset?: string) => {
    const channel = await channels.resolve(caller, id)
    if (keeps(channel))
      throw new ServiceError(
        'unsupported',
        `Channel ${channel.id} (${channel.provider}) keeps its own contacts, ten of which can be made in ten seconds: use its own import, or POST /contacts for each. A channel whose contacts Switchboard keeps can.`
      )
    const lines = await fromCsv(bytes, charset)
    for (const { phone } of lines) requireRecipient(caller, phone)
    const of = { channel: channel.id, mode: channel.mode }
    return { of, lines }
  }

  return {
    export: async (caller, id) => {
      const channel = await channels.resolve(caller, id)
      if (!keeps(channel)) {
        const of = { channel: channel.id, mode: channel.mode }
        return { csv: toCsv(await book.attributes(of), ours(of)), channel: channel.id }
      }
      const all = await theirs(channel)
      const names = [...new Set(all.flatMap(({ attributes }) => Object.keys(attributes)))].sort()
      return { csv: toCsv(names, each(all)), channel: channel.id }
    },

    import: async (caller, id, bytes, charset) => {
      const { of, lines } = await linesFor(caller, id, bytes, charset)
      let created = 0
      for (const group of commits(lines)) {
        const made = await book.upsertAll(of, group)
        created += made.filter(Boolean).length
      }
      return { rows: lines.length, created, updated: lines.length - created }
    },

    requireRights: async (...asked) => void (await linesFor(...asked))
  }
}
