import type { NativeAnswer, NativeRequest, Operations, TemplateDraft } from '../adapter.ts'
import { Unsupported } from '../adapter.ts'
import { granted, graphId, unreadable, word } from './decode.ts'
import { graphPath, type Settings } from './settings.ts'

// Templates made and deleted: neutral → Graph's components with their `example` blocks (docs/upstream.md 4.7).

type Json = Record<string, unknown>
type Variables = TemplateDraft['variables']

const listPath = (settings: Settings): string[] => graphPath(settings, settings.businessAccountId, 'message_templates')

/** `header_text: ["Pablo"]`, but `body_text: [["SUMMER20", "10"]]`; named ones alike in both. */
function example(part: 'header' | 'body', { variables, parameterFormat }: TemplateDraft): Json {
  const own = variables.filter(variable => variable.in === part)
  if (own.length === 0) return {}
  const values = own.map(variable => variable.example)
  if (parameterFormat === 'positional') return { example: { [`${part}_text`]: part === 'body' ? [values] : values } }
  return {
    example: {
      [`${part}_text_named_params`]: own.map(variable => ({ param_name: variable.name, example: variable.example }))
    }
  }
}

function header(draft: TemplateDraft): Json[] {
  if (!draft.header) return []
  const { format, text, handle } = draft.header
  const component = { type: 'HEADER', format: format.toUpperCase() }
  if (format === 'text') return [{ ...component, text, ...example('header', draft) }]
  if (format === 'location') return [component]
  if (handle === undefined) {
    throw new Unsupported(
      `a template with ${format === 'image' ? 'an' : 'a'} ${format} header is made with a sample file from Meta's ` +
        'Resumable Upload API, which Maton does not reach. Upload the sample with your own Meta app and give ' +
        '/header/handle, or make the template in WhatsApp Manager; it can be sent from here all the same.'
    )
  }
  return [{ ...component, example: { header_handle: [handle] } }]
}

const sample = (variables: Variables, buttonIndex: number): string | undefined =>
  variables.find(variable => variable.in === 'button' && variable.buttonIndex === buttonIndex)?.example

function button({ type, text, url, phone }: TemplateDraft['buttons'][number], example: string | undefined): Json {
  return {
    type: type.toUpperCase(),
    ...(text !== undefined && { text }),
    ...(url !== undefined && { url }),
    ...(phone !== undefined && { phone_number: phone }),
    // a list of one for an address, the bare code for a coupon (4.7)
    ...(example !== undefined && { example: type === 'url' ? [example] : example })
  }
}

/** POST /{waba_id}/message_templates. Throws Unsupported. */
export function createRequest(settings: Settings, draft: TemplateDraft): NativeRequest {
  if (draft.category === 'authentication') {
    throw new Unsupported(
      'WhatsApp writes the text of authentication templates itself: make one in WhatsApp Manager; it can be sent from ' +
        'here all the same.'
    )
  }
  return {
    method: 'POST',
    path: listPath(settings),
    body: {
      json: {
        name: draft.name,
        language: draft.language,
        category: draft.category.toUpperCase(),
        parameter_format: draft.parameterFormat.toUpperCase(),
        components: [
          ...header(draft),
          { type: 'BODY', text: draft.body.text, ...example('body', draft) },
          ...(draft.footer ? [{ type: 'FOOTER', text: draft.footer.text }] : []),
          ...(draft.buttons.length > 0
            ? [{ type: 'BUTTONS', buttons: draft.buttons.map((each, at) => button(each, sample(draft.variables, at))) }]
            : [])
        ]
      }
    }
  }
}

export function createdTemplate(answer: NativeAnswer, draft: TemplateDraft): Operations['createTemplate']['output'] {
  const body = granted(answer)
  const providerTemplateId = graphId(body.id)
  if (providerTemplateId === undefined) throw unreadable(answer, 'a template id')
  return { providerTemplateId, status: word(body.status) ?? 'pending', category: word(body.category) ?? draft.category }
}

/** DELETE of the same path: by name all languages, with `hsm_id` one. */
export const deleteTemplateRequest = (
  settings: Settings,
  { name, providerTemplateId }: Operations['deleteTemplate']['input']
): NativeRequest => ({ method: 'DELETE', path: listPath(settings), query: { name, hsm_id: providerTemplateId } })
