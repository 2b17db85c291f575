import type { Heard, HeardOutgoing } from '../../heard.ts'
import { array, graphId, record, string, word } from '../decode.ts'
import { type Change, instant, type Json, some, someone } from './common.ts'
import { type Content, contentOf } from './content.ts'
import { messageOf } from './messages.ts'

// `message_echoes[]`: what others send through our number (docs/webhooks.md C6).

/** What a person wrote in the WhatsApp Business app, or another sender of this number: outbound, and not ours (C6). */
export function echo(value: unknown, change: Change): Heard {
  const told = record(value)
  // In `standby` all but the id and the instant stands one level deeper.
  const message = { ...record(told.message), ...told }
  const id = graphId(message.id)
  const at = instant(message.timestamp) ?? change.at
  const base = { ...(at !== undefined && { at }), scope: change.scope }
  if (id === undefined)
    return { ...base, kind: 'other', identity: `other/echo/${at ?? ''}`, name: 'echo without an id' }
  const heard: HeardOutgoing = {
    ...base,
    kind: 'outgoing',
    identity: `outgoing/${id}`,
    ids: [id],
    operator: {},
    recipient: someone(change, message.to, message.to_user_id),
    message: messageOf(message, array(change.value.errors), change, sentContentOf)
  }
  return heard
}

const words = (node: unknown): string | undefined => string(record(node).text)

/** What only a business sends; its words are those that the person sees. */
const sent: Readonly<Record<string, (node: Json) => Content>> = {
  button: node => ({
    type: 'buttons',
    content: some({
      body: words(node.body),
      footer: words(node.footer),
      buttons: array(record(node.action).buttons).map(each => {
        const { id, title } = record(record(each).reply)
        return some({ id: string(id), title: string(title) })
      })
    })
  }),
  list: node => ({
    type: 'list',
    content: some({
      header: words(node.header),
      body: words(node.body),
      footer: words(node.footer),
      button: string(record(node.action).button),
      sections: array(record(node.action).sections).map(section => {
        const { title, rows } = record(section)
        return some({
          title: string(title),
          rows: array(rows).map(row => {
            const { id, title, description } = record(row)
            return some({ id: string(id), title: string(title), description: string(description) })
          })
        })
      })
    })
  })
}

/** What a message of a business says: templates, buttons and lists, and whatever a person can send as well. */
function sentContentOf(message: Json, beside: unknown[]): Content {
  const type = word(message.type)
  const template = record(message.template)
  if (type === 'template' && message.template === template) {
    const language = string(template.language) ?? string(record(template.language).code)
    return { type, content: some({ name: string(template.name), language }) }
  }
  const interactive = record(message.interactive)
  const kind = word(interactive.type) ?? ''
  const read = type === 'interactive' && Object.hasOwn(sent, kind) ? sent[kind] : undefined
  if (read) return read(interactive)
  const content = contentOf(message, beside)
  const body = type === 'interactive' ? words(interactive.body)?.slice(0, 1024) : undefined
  return body === undefined ? content : { ...content, content: { ...record(content.content), detail: body } }
}
