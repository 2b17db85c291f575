import { type Component, qualityOf, type Template, type TemplateButton, variables } from '../cloud/seed-templates.ts'
import { hex } from '../ids.ts'

/** A template as WATI lists it (docs/upstream.md 3.6). */
export interface WatiTemplate {
  id: string
  elementName: string
  category: string
  status: string
  language: { key: string; value: string; text: string }
  lastModified: string
  type: string
  body: string
  bodyOriginal: string
  header: { typeString: string; text: string | null; link: string | null } | null
  footer: string | null
  buttons: unknown[]
  buttonsType: string
  customParams: { paramName: string; paramValue: string }[]
  quality: string
  subCategory: string
  wabaId: string
}

/** What WATI calls the parameter of a media header, as observed (docs/upstream.md 3.4.8). */
export const MEDIA_PARAM = 'mediaUrl'

const MEDIA_FORMATS = new Set(['IMAGE', 'VIDEO', 'DOCUMENT'])

const LANGUAGES: Record<string, string> = { en_US: 'English (US)', de: 'German', es: 'Spanish', en: 'English' }

/** The parameter of a button with a variable part. */
function buttonParam(button: TemplateButton): string | undefined {
  if (button.type === 'COPY_CODE') return 'couponcode'
  return button.type === 'URL' && variables(button.url).length > 0 ? 'urlsuffix' : undefined
}

function watiButton(button: TemplateButton): unknown {
  const param = buttonParam(button)
  return {
    type: button.type.toLowerCase(),
    parameter: {
      text: button.text ?? '',
      phoneNumber: button.phone_number ?? null,
      url: button.url ?? null,
      urlOriginal: button.url ?? null,
      urlType: button.url === undefined ? null : param === undefined ? 'static' : 'dynamic',
      buttonParamMapping: param === undefined ? null : { paramName: param, paramValue: '' }
    }
  }
}

/** Every parameter that a send must name, in the order of the definition. */
function paramNames(header: Component | undefined, text: string, buttons: TemplateButton[]): string[] {
  return [
    ...new Set([
      ...(MEDIA_FORMATS.has(header?.format ?? '') ? [MEDIA_PARAM] : variables(header?.text)),
      ...variables(text),
      ...buttons.flatMap(button => buttonParam(button) ?? [])
    ])
  ]
}

/** The names that a send of this template must carry; derived from the body where the list is empty (3.4.7). */
export function expectedParams(template: WatiTemplate): string[] {
  return template.customParams.length > 0
    ? template.customParams.map(({ paramName }) => paramName)
    : variables(template.bodyOriginal)
}

function toWati(template: Pick<Template, 'name' | 'category' | 'status' | 'language' | 'components'>): WatiTemplate {
  const part = (type: string): Component | undefined => template.components.find(one => one.type === type)
  const header = part('HEADER')
  const text = part('BODY')?.text ?? ''
  const buttons = part('BUTTONS')?.buttons ?? []
  return {
    id: hex(),
    elementName: template.name,
    category: template.category,
    status: template.status,
    language: { key: template.language, value: template.language, text: LANGUAGES[template.language] ?? '' },
    lastModified: '2026-02-01T10:00:00.000Z',
    type: 'template',
    body: text,
    bodyOriginal: text,
    header:
      header === undefined
        ? null
        : { typeString: (header.format ?? 'TEXT').toLowerCase(), text: header.text ?? null, link: null },
    footer: part('FOOTER')?.text ?? null,
    buttons: buttons.map(watiButton),
    buttonsType: buttons.length === 0 ? 'none' : 'call_to_action',
    customParams: paramNames(header, text, buttons).map(paramName => ({ paramName, paramValue: `[${paramName}]` })),
    quality: qualityOf(template),
    subCategory: 'STANDARD',
    wabaId: '102290129340398'
  }
}

const template = (name: string, status: string, components: Component[]): WatiTemplate =>
  toWati({ name, status, components, category: 'UTILITY', language: 'en' })

/** Meta's templates as WATI shows them, and three that only WATI has. */
export function seedWatiTemplates(mirrored: Iterable<Template>): Map<string, WatiTemplate> {
  const own = [
    // the observed oddity: a variable in the body and no customParams (docs/upstream.md 3.4.7)
    {
      ...template('welcome_plain', 'APPROVED', [{ type: 'BODY', text: 'Welcome {{1}} to our shop.' }]),
      customParams: []
    },
    template('catalog_photo', 'APPROVED', [
      { type: 'HEADER', format: 'IMAGE' },
      { type: 'BODY', text: 'Hello {{name}}, here is our catalogue.' }
    ]),
    template('draft_note', 'DRAFT', [{ type: 'BODY', text: 'A note that nobody has submitted.' }])
  ]
  return new Map([...[...mirrored].map(toWati), ...own].map(one => [`${one.elementName} ${one.language.value}`, one]))
}
