import type { Channel } from '../../../schemas/channels.ts'
import type { Template } from '../../../schemas/templates.ts'
import type { View } from '../visit.ts'

/** A piece of text as WhatsApp shows it. */
export interface Piece {
  tag: 'b' | 'i' | 's' | 'code' | 'span'
  text: string
}
const tags = { '*': 'b', _: 'i', '~': 's', '`': 'code' } as const

/** WhatsApp's own marks: *bold*, _italic_, ~struck~, `fixed`, each within a line and around a word. */
export function asShown(text: string): Piece[] {
  const pieces: Piece[] = []
  let from = 0
  for (const match of text.matchAll(/(?<![\w*_~`])([*_~`])(?=\S)([^\n*_~`]{1,1024}?)(?<=\S)\1(?![\w*_~`])/g)) {
    if (match.index > from) pieces.push({ tag: 'span', text: text.slice(from, match.index) })
    pieces.push({ tag: tags[match[1] as keyof typeof tags], text: match[2]! })
    from = match.index + match[0].length
  }
  if (from < text.length) pieces.push({ tag: 'span', text: text.slice(from) })
  return pieces
}

/** The text with its variables filled in; what has no value stays as it is written. */
export const filledIn = (text: string, values: Record<string, string>): string =>
  text.replace(/\{\{\s*(\w+)\s*\}\}/g, (whole, name: string) => values[name] || whole)

/** Templates as the provider has them. */
export const templateViews: readonly View[] = [
  {
    path: '/templates',
    template: 'templates',
    title: 'Templates',
    show: async ({ api, fields }) => {
      const channels = (await api.get<{ items: Channel[] }>('/channels')).items
      const channel = fields.channel || channels.find(each => each.default)?.id || channels[0]?.id
      const { status, category, name, cursor } = fields
      const filter = { channel, status, category, name, cursor, limit: 100 }
      return { channels, channel, found: await api.look<{ items: Template[] }>('/templates', filter) }
    }
  },
  {
    path: '/templates/:name',
    template: 'template',
    title: 'Template',
    show: async ({ api, params, fields }) => {
      const { channel } = fields
      const set = await api.get<{ items: Template[] }>(`/templates/${encodeURIComponent(params.name!)}`, { channel })
      const shown = set.items.map(template => {
        const examples = template.variables.flatMap(({ name, example }) =>
          example === undefined ? [] : [[name, example]]
        )
        const values = { ...Object.fromEntries(examples), ...fields } as Record<string, string>
        const pieces = (text: string): Piece[] => asShown(filledIn(text, values))
        return { template, values, header: pieces(template.header?.text ?? ''), body: pieces(template.body.text) }
      })
      return { name: params.name, channel, shown }
    }
  }
]
