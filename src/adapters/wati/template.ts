import { type Encoded, type ResolvedTemplate, type Sendable, Unsupported } from '../adapter.ts'
import { addressee, type Channel, defined, linkOf, post, refuseQuote } from './request.ts'

type Parameter = ResolvedTemplate['flat'][number]

/** A media header is one more parameter, its address, under the template's own media variable (docs/upstream.md 3.4.8). */
function headerParameters({ header, mediaVariable }: ResolvedTemplate): Parameter[] {
  if (header === undefined || 'values' in header) return []
  if ('location' in header) {
    throw new Unsupported('WATI cannot send a template with a location header: use a template without one')
  }
  const { kind, media } = header
  const value = linkOf(media, 'template header')
  if (kind === 'document' && media.filename !== undefined) {
    throw new Unsupported('WATI names the document of a template by its link: leave out header.document.filename')
  }
  return [{ name: mediaVariable ?? 'mediaUrl', value }]
}

/** Buttons' values that are not among the definition's text values already. A quick reply's payload is never seen. */
function buttonParameters({ buttons, flat }: ResolvedTemplate): Parameter[] {
  return buttons.flatMap(({ index, type, name, value }) => {
    if (type === 'quick_reply' || flat.some(parameter => parameter.name === name)) return []
    if (name !== undefined) return [{ name, value }]
    throw new Unsupported(`WATI fills buttons by variable: give the value of button ${index} among template.variables`)
  })
}

/** WATI refuses these as "typos or blank text" after the message is spent (docs/upstream.md 3.4.8). */
function refuseBlank({ name, value }: Parameter): void {
  if (value.trim() === '') throw new Unsupported(`WATI takes no empty value: give template.variables.${name} some text`)
}

/** The values of one recipient. Throws Unsupported. */
export function parametersOf(message: Sendable<'template'>): Parameter[] {
  refuseQuote(message)
  const { content } = message
  // in the definition's order, the media variable at its place: WATI's page wants that, its server the names (3.4.8)
  const parameters = [...content.flat, ...buttonParameters(content)]
  parameters.splice(content.mediaPosition ?? 0, 0, ...headerParameters(content))
  parameters.forEach(refuseBlank)
  return parameters.map(({ name, value }) => ({ name, value }))
}

/** What WATI has no place for, and what it may mean otherwise. */
export function templateWarnings({ buttons, name, language, otherLanguages }: ResolvedTemplate): string[] {
  const payload = 'WATI has no payload for quick replies: it was not sent, and a reply names the title only.'
  return [
    ...(buttons.some(button => button.type === 'quick_reply') ? [payload] : []),
    ...(otherLanguages
      ? [`WATI takes no language: ${name} is there in ${otherLanguages.join(', ')} as well as in ${language}.`]
      : [])
  ]
}

/**
 * docs/upstream.md 3.4.11. The call has no place for a language: WATI sends the one that the name was made in. The caller's
 * language is checked against the definitions ahead; where several could be meant, that is a warning.
 */
export function template(message: Sendable<'template'>, { settings }: Channel): Encoded {
  const { id, to, content, options } = message
  const json = {
    template_name: content.name,
    broadcast_name: typeof options?.broadcastName === 'string' ? options.broadcastName : id,
    parameters: parametersOf(message),
    channel_number: settings.channelPhoneNumber
  }
  return {
    request: post(['v2', 'sendTemplateMessage'], addressee(to), { json: defined(json) }),
    warnings: templateWarnings(content)
  }
}
