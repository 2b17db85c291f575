import { type ContentByType, type MediaType, mediaTypes } from '../../../schemas/content.ts'
import type { ConversationItem, ResolvedTemplate, TemplateDefinition } from '../../adapters/adapter.ts'
import type { MessageRow } from '../../store/schema.ts'

// What of a message can be found again in a provider's conversation, which knows our words and not our ids.

export interface Match {
  /** Whether an item says the same. */
  fits: (item: ConversationItem) => boolean
}

/** White space may be kept otherwise there. */
const squeezed = (text: string): string => text.replace(/\s+/g, ' ').trim()
const same = (a: string | undefined, b: string | undefined): boolean =>
  a !== undefined && b !== undefined && squeezed(a) === squeezed(b)

const isMedia = (type: string): type is MediaType => (mediaTypes as readonly string[]).includes(type)
const textOf = ({ message }: ConversationItem): string | undefined =>
  (message.text as { body: string } | undefined)?.body

/** The words of a template as a person sees them: whether header and footer are told with the body is not documented. */
export function renderings(definition: TemplateDefinition, { body, header }: ResolvedTemplate): string[] {
  const filled = (text: string, values: { name: string; value: string }[]) =>
    values.reduce((words, { name, value }) => words.replaceAll(`{{${name}}}`, value), text)
  const middle = filled(definition.body.text, body)
  const top =
    definition.header?.text === undefined
      ? ''
      : filled(definition.header.text, header && 'values' in header ? header.values : [])
  const bottom = definition.footer ?? ''
  return [middle, `${top} ${middle}`, `${middle} ${bottom}`, `${top} ${middle} ${bottom}`]
}

/**
 * What an item has to say to be this message. Undefined: nothing that would tell it from another one of its kind.
 * @param texts of a template: every way in which its words may stand there
 */
export function matchOf(row: Pick<MessageRow, 'type' | 'content'>, texts: string[]): Match | undefined {
  if (row.content === null) return undefined
  const content = JSON.parse(row.content)
  if (row.type === 'text') {
    const { body } = content as ContentByType['text']
    return { fits: item => item.message.type === 'text' && same(textOf(item), body) }
  }
  if (row.type === 'template') {
    const { name } = content as ContentByType['template']
    const named = ({ message }: ConversationItem) => (message.template as { name: string } | undefined)?.name ?? name
    return {
      fits: item =>
        item.message.type === 'template' && named(item) === name && texts.some(text => same(textOf(item), text))
    }
  }
  if (row.type === 'buttons' || row.type === 'list') {
    const { body } = content as ContentByType['list']
    const plain = (type: string) => type === 'text' || type === 'template' || isMedia(type)
    return { fits: item => !plain(item.message.type) && same(textOf(item), body) }
  }
  if (!isMedia(row.type)) return undefined
  const { caption, filename } = content as ContentByType['document']
  const words = [caption, filename].filter(word => word !== undefined)
  // A picture without a word may be anybody's picture.
  if (words.length === 0) return undefined
  return {
    fits: ({ message, file }) =>
      message.type === row.type && words.some(word => same(file?.caption, word) || same(file?.filename, word))
  }
}

/** Whether two messages of ours would look alike there. */
export const sameMatch = (
  a: Pick<MessageRow, 'type' | 'content'>,
  b: Pick<MessageRow, 'type' | 'content'>
): boolean => {
  const saying = ({ type, content }: Pick<MessageRow, 'type' | 'content'>): string => {
    // What is not kept any more may have said the same.
    if (content === null) return ''
    const { body, name, variables, caption, filename } = JSON.parse(content)
    return JSON.stringify([type, squeezed(body ?? ''), name, variables, caption, filename])
  }
  return a.type === b.type && (a.content === null || b.content === null || saying(a) === saying(b))
}
