import type { MediaType, MessageType } from '../../schemas/content.ts'
import { messageExamples } from '../../schemas/examples.ts'
import type { MediaSource, OutboundFile, Sendable, SendableContent } from '../../src/adapters/adapter.ts'

export const to = '14155551234'
export const id = 'msg_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3'

type Content<T extends MessageType> = readonly [name: string, content: SendableContent[T]]
type Examples = { [T in Exclude<MessageType, MediaType>]: Content<T>[] }

/** The example of the API's own description, where an encoder takes the content as the caller wrote it. */
const described = <T extends MessageType>(type: T) =>
  ['as described', messageExamples[type][type] as SendableContent[T]] as const

const image = { kind: 'image', media: { source: { link: 'https://example.com/parcel.jpg' } } } as const
const named = [
  { name: 'name', value: 'Ada' },
  { name: 'ordernumber', value: '12345' }
]
/** Templates are those of the sandbox, resolved as delivery/template.ts does. */
const examples: Examples = {
  text: [described('text'), ['with a preview', { body: 'https://example.com', previewUrl: true }]],
  location: [described('location')],
  contacts: [described('contacts')],
  buttons: [
    described('buttons'),
    ['with a text header', { body: 'Ready.', header: { text: 'Order' }, buttons: [{ title: 'Track' }] }],
    ['with a picture', { body: 'Ready.', header: image, buttons: [{ title: 'Track' }] }]
  ],
  list: [described('list')],
  reaction: [described('reaction')],
  template: [
    [
      'with named variables',
      { name: 'order_update', language: 'en_US', parameterFormat: 'named', body: named, buttons: [], flat: named }
    ],
    [
      'with a picture and a number',
      {
        name: 'spring_sale',
        language: 'en_US',
        parameterFormat: 'positional',
        mediaVariable: 'mediaUrl',
        header: image,
        body: [{ name: '1', value: 'Ada' }],
        buttons: [],
        flat: [{ name: '1', value: 'Ada' }]
      }
    ]
  ]
}

const captioned = new Set<MessageType>(['image', 'video', 'document'])
const withWords = (type: MediaType, source: MediaSource): SendableContent[MediaType] => ({
  source,
  ...(captioned.has(type) && { caption: 'Look' }),
  ...(type === 'document' && { filename: 'invoice-12345.pdf' })
})

export interface MediaSupply {
  file: (type: MediaType) => Promise<OutboundFile>
  /** Undefined where the provider knows no ids of files. */
  providerMediaId?: (type: MediaType) => Promise<string>
}

/** Messages to send of one type: media in each form that the encoder says it takes. */
export async function messagesOf(
  type: MessageType,
  media: 'reference' | 'file' | undefined,
  supply: MediaSupply
): Promise<[name: string, message: Sendable][]> {
  const contents = type in examples ? examples[type as keyof Examples] : await mediaContents(type as MediaType)
  return contents.map(([name, content]) => [`${type} ${name}`, { id, to, type, content }])

  async function mediaContents(kind: MediaType): Promise<[string, SendableContent[MediaType]][]> {
    if (media === 'file') return [['as a file', withWords(kind, { file: await supply.file(kind) })]]
    const { link } = messageExamples[kind][kind] as { link: string }
    const byLink: [string, SendableContent[MediaType]] = ['by link', withWords(kind, { link })]
    if (!supply.providerMediaId) return [byLink]
    return [byLink, ['by id', withWords(kind, { providerMediaId: await supply.providerMediaId(kind) })]]
  }
}
