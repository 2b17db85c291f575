import type { CreateTemplate, Template, TemplateFilter, TemplateSet } from '../../schemas/templates.ts'
import type { TemplateDefinition, TemplateDraft } from '../adapters/adapter.ts'
import type { Channels } from '../channels/channels.ts'
import { ask } from '../dispatch/ask.ts'
import { fromCursor, type ProviderPosition, toCursor } from '../dispatch/cursor.ts'
import type { DispatchChannel, ProviderClient } from '../dispatch/provider-client.ts'
import { ServiceError } from '../errors.ts'
import type { Caller } from '../keys/caller.ts'
import type { Definitions } from './definitions.ts'
import { toTemplateDraft } from './draft.ts'

export interface Templates {
  list: (caller: Caller, filter: TemplateFilter) => Promise<{ items: Template[]; nextCursor: string | null }>
  /** All languages of a name, asked of the provider now. */
  get: (caller: Caller, name: string, channel: string | undefined) => Promise<TemplateSet>
  create: (caller: Caller, input: CreateTemplate) => Promise<Template>
  /** One language, or all. */
  remove: (caller: Caller, name: string, of: { channel?: string; language?: string }) => Promise<void>
}

export interface TemplatesParts {
  channels: Channels
  providerClient: ProviderClient
  definitions: Definitions
}

/** Pages of the provider that one answer may take; after that it is given out as it is, with where it goes on. */
const maxPages = 10

/** en-us and en_US are one. */
const spelt = (language: string): string => language.toLowerCase().replace('-', '_')

/** Without what only sending needs. */
const toTemplate = ({ mediaVariable: _, mediaPosition: _position, ...template }: TemplateDefinition): Template => ({
  ...template,
  syncedAt: new Date().toISOString()
})

/** A provider that filters has done this already; for one that cannot it is done here. */
const fits =
  ({ name, status, category, language }: TemplateFilter) =>
  (item: TemplateDefinition): boolean =>
    (name === undefined || item.name === name) &&
    (status === undefined || item.status === status) &&
    (category === undefined || item.category === category) &&
    (language === undefined || spelt(item.language) === spelt(language))

function created(
  channel: string,
  { buttons, header, category: _, ...draft }: TemplateDraft,
  made: { providerTemplateId: string; status: string; category: string }
): Template {
  return {
    channel,
    ...draft,
    ...made,
    syncedAt: new Date().toISOString(),
    ...(header && { header: { format: header.format, ...(header.text !== undefined && { text: header.text }) } }),
    ...(buttons.length > 0 && { buttons: buttons.map(button => ({ ...button, text: button.text ?? '' })) })
  }
}

/** Templates lie with the provider: every answer is asked of it. */
export function createTemplates({ channels, providerClient, definitions }: TemplatesParts): Templates {
  const missing = (channel: DispatchChannel, name: string, language?: string): ServiceError =>
    new ServiceError(
      'not_found',
      `Channel ${channel.id} has no template ${name}${language === undefined ? '' : ` in ${language}`}.`
    )
  const requireName = (caller: Caller, name: string): void => {
    if (caller.templates && !caller.templates.has(name))
      throw new ServiceError('forbidden', `This key may not change the template ${name}.`)
  }

  return {
    list: async (caller, { channel: id, limit = 25, cursor, ...filter }) => {
      const channel = await channels.resolve(caller, id)
      const list = [channel.id, channel.mode, filter.name, filter.status, filter.category, filter.language]
      let at: ProviderPosition = cursor === undefined ? { limit, skip: 0 } : fromCursor(list, cursor)
      const items: Template[] = []
      for (let page = 0; page < maxPages; page++) {
        const asked = { ...filter, limit: at.limit, ...(at.cursor && { cursor: at.cursor }) }
        const answer = await ask(providerClient, 'listTemplates', channel, asked)
        const all = answer.items.filter(fits(filter))
        const shown = all.slice(at.skip, at.skip + limit - items.length)
        items.push(...shown.map(toTemplate))
        const skip = at.skip + shown.length
        if (skip < all.length) return { items, nextCursor: toCursor(list, { ...at, skip }) }
        if (answer.nextCursor === null) return { items, nextCursor: null }
        at = { limit: at.limit, cursor: answer.nextCursor, skip: 0 }
        if (items.length === limit) break
      }
      return { items, nextCursor: toCursor(list, at) }
    },

    get: async (caller, name, id) => {
      const channel = await channels.resolve(caller, id)
      const items = await definitions.ask(channel, name)
      if (items.length === 0) throw missing(channel, name)
      return { name, items: items.map(toTemplate) }
    },

    create: async (caller, { channel: id, ...input }) => {
      const channel = await channels.resolve(caller, id)
      requireName(caller, input.name)
      providerClient.require('createTemplate', channel)
      const draft = toTemplateDraft(input)
      // Also where nobody can say whether it was taken.
      const made = await ask(providerClient, 'createTemplate', channel, draft).finally(() =>
        definitions.forget(draft.name)
      )
      return created(channel.id, draft, made)
    },

    remove: async (caller, name, { channel: id, language }) => {
      const channel = await channels.resolve(caller, id)
      requireName(caller, name)
      providerClient.require('deleteTemplate', channel)
      const found = language === undefined ? [] : await definitions.ask(channel, name)
      const one = found.find(item => spelt(item.language) === spelt(language ?? ''))
      // Without an id the provider would delete all languages.
      if (language !== undefined && one?.providerTemplateId === undefined) throw missing(channel, name, language)
      const doomed = { name, ...(one?.providerTemplateId && { providerTemplateId: one.providerTemplateId }) }
      await ask(providerClient, 'deleteTemplate', channel, doomed).finally(() => definitions.forget(name))
    }
  }
}
