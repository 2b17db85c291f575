import { type Static, Type } from '@sinclair/typebox'
import { strict } from '../../../schemas/kit.ts'

const defaultVersion = 'v24.0'

/** Never shown again. Printable, so that it can stand in a header or an address. */
const Secret = (description: string) => Type.String({ pattern: '^[\\x21-\\x7e]{8,512}$', secret: true, description })

/** Numbers of up to about 20 digits, kept as text: JavaScript would round them. */
const GraphId = (description: string) => Type.String({ pattern: '^\\d{1,25}$', description })

export const Settings = strict({
  phoneNumberId: GraphId('The id that Meta gives the sending phone number; not the number itself.'),
  businessAccountId: GraphId('The id of the WhatsApp Business Account (WABA) that owns the number and its templates.'),
  graphVersion: Type.Optional(
    Type.String({
      pattern: '^v[1-9]\\d{0,2}\\.\\d{1,2}$',
      default: defaultVersion,
      description: 'The version of the Graph API that every call names.'
    })
  ),
  appSecret: Type.Optional(
    Secret('The secret of the Meta app whose webhooks come here: their signature is asked for then.')
  ),
  verifyToken: Type.Optional(Secret('What Meta says in the handshake of a webhook. One is made where none is set.')),
  mediaToken: Type.Optional(Secret('A Graph token of your own, to fetch the files that people send.'))
})
export type Settings = Static<typeof Settings>

/** Path segments of a call. The default holds here too, for settings that no validator has filled in. */
export const graphPath = (settings: Settings, ...rest: string[]): string[] => [
  settings.graphVersion ?? defaultVersion,
  ...rest
]

/** When each version stops working (docs/upstream.md 4.1 [M-VER]); the end of later ones is not announced. */
const versionEnds: ReadonlyMap<string, string> = new Map([
  ['v21.0', '2027-01-21'],
  ['v22.0', '2027-05-20'],
  ['v23.0', '2027-10-08'],
  ['v24.0', '2028-02-18'],
  ['v25.0', '2028-07-29']
])
/** Its end is not announced, so it is what a channel can move to (same source). */
const newestVersion = 'v26.0'
const noticeMs = 90 * 24 * 60 * 60 * 1000

/** A sentence if the channel's version has ended or ends within 90 days. */
export function remarks(settings: Settings, now: number): string[] {
  const version = settings.graphVersion ?? defaultVersion
  const end = versionEnds.get(version)
  if (end === undefined || now < Date.parse(end) - noticeMs) return []
  const ends = now < Date.parse(end) ? 'ends' : 'ended'
  return [`Graph API ${version} ${ends} on ${end}: set graphVersion to ${newestVersion}.`]
}
