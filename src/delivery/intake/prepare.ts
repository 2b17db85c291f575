import { type ContentByType, type MediaType, type MessageType, mediaTypes } from '../../../schemas/content.ts'
import type { ErrorCode } from '../../../schemas/problem.ts'
import {
  type AnyAdapter,
  type Encoded,
  type ResolvedMedia,
  type Sendable,
  type SendableContent,
  type TemplateDefinition,
  Unsupported,
  type Verdict
} from '../../adapters/adapter.ts'
import type { DispatchChannel, ProviderClient } from '../../dispatch/provider-client.ts'
import { invalid, ServiceError } from '../../errors.ts'
import { type Caller, seesMessage } from '../../keys/caller.ts'
import type { FileNeed, MediaLibrary } from '../../media/library.ts'
import type { MessageQueries } from '../../messages/queries.ts'
import type { Draft } from '../../messages/row.ts'
import type { Store } from '../../store/store.ts'
import type { Definitions } from '../../templates/definitions.ts'
import { chooseDefinition, resolveTemplate } from '../../templates/fill.ts'
import { createMediaReferences } from './media-references.ts'

/** Ready to be encoded, but for a file that has to be brought first. */
export interface Prepared {
  sendable: Sendable
  file?: FileNeed
  warnings: string[]
}

/** A template whose definition is known, to be sent to many: what is the same for all of them has been looked up. */
export interface Frame {
  /** The definition's, where the draft named none. */
  language: string
  /** What is to be said of its header's file. */
  warnings: string[]
  /** Puts one recipient's values in. Throws ServiceError template_invalid naming every fault. */
  fill: (variables: ContentByType['template']['variables']) => SendableContent['template']
}

export interface Preparation {
  /**
   * Resolves every reference and checks a template. Throws ServiceError; nothing has been sent or stored then.
   * @param reader who asks for it, and may name only what it may read; absent for a message that was let in before
   */
  prepare: (draft: Draft, channel: DispatchChannel, reader?: Caller) => Promise<Prepared>
  /** Checks a template without its recipients and their values; the provider is asked for it now. */
  frame: (draft: Draft<'template'>, channel: DispatchChannel) => Promise<Frame>
  /** Encodes, bringing the file first where one is needed. `dispose` is called when the request is over. */
  encode: (prepared: Prepared, channel: DispatchChannel) => Promise<Encoded & { dispose?: () => Promise<void> }>
  /** Encodes a message that needs no file, without waiting for anything. */
  encodeNow: (prepared: Prepared, channel: DispatchChannel) => Encoded
  /** Takes note of how the provider refused a message: what is remembered of a template may be out of date. */
  refused: (draft: Pick<Draft, 'type' | 'content'>, channel: DispatchChannel, verdict: Verdict) => void
}

export interface PreparationParts {
  providerClient: ProviderClient
  definitions: Definitions
  library: MediaLibrary
  store: Store
  queries: MessageQueries
  /** Whether links are not to be fetched. */
  sandboxed: (channel: DispatchChannel) => boolean
}

/** A message's content with every reference of ours resolved. */
interface Resolved {
  content: unknown
  file?: FileNeed
  warnings: string[]
}

/** Refusals that rest on a template's definition. */
const templateRefusals = new Set<ErrorCode>(['template_not_found', 'template_invalid', 'unsupported'])

const isMedia = (type: MessageType): type is MediaType => (mediaTypes as readonly string[]).includes(type)

/** The names of the registered providers that can say a type, for the reader of an `unsupported`. */
export type WhoCan = (type: MessageType) => string[]

export function createPreparation(parts: PreparationParts, whoCan: WhoCan): Preparation {
  const { providerClient, definitions, library, store, queries } = parts
  const references = createMediaReferences(library)

  const encoderOf = (adapter: AnyAdapter, type: MessageType, channel: DispatchChannel) => {
    const encoder = adapter.encoders[type]
    if (encoder) return encoder
    const others = whoCan(type)
    const hint = others.length > 0 ? ` A channel of ${others.join(' or ')} can.` : ''
    throw new ServiceError(
      'unsupported',
      `Channel ${channel.id} (${channel.provider}) cannot send ${type} messages.${hint}`
    )
  }

  /** Our message id, or a wamid as it is, as the provider knows it. */
  const providerIdOf = async (
    reference: string,
    draft: Draft,
    channel: DispatchChannel,
    path: string,
    reader: Caller | undefined
  ): Promise<string> => {
    if (!reference.startsWith('msg_')) return reference
    const [row] = await store.read(queries.byId({ id: reference }))
    const received = row?.service === '' && (!reader || seesMessage(reader, row))
    if (!row || row.mode !== channel.mode || (row.service !== draft.service && !received))
      throw invalid(path, `names no message: ${reference}`)
    if (row.channel_id !== channel.id)
      throw invalid(path, `names a message of the channel ${row.channel_id}, not of ${channel.id}`)
    if (row.provider_message_id === null)
      throw invalid(path, `names a message that the provider has no id of yet (${row.state})`)
    return row.provider_message_id
  }

  const frameOf = async (
    draft: Draft<'template'>,
    found: TemplateDefinition[],
    channel: DispatchChannel
  ): Promise<Frame> => {
    const { content } = draft
    const near = found.length > 0 ? [] : await definitions.near(channel, content.name)
    const definition = chooseDefinition(content, found, channel.id, near)
    const { resolve, warnings } = await references.inHeader(content.header, draft, channel, '/template/header')
    return {
      warnings,
      language: definition.language,
      fill: variables => resolveTemplate({ ...content, ...(variables && { variables }) }, definition, resolve)
    }
  }

  const frame: Preparation['frame'] = async (draft, channel) => {
    encoderOf(providerClient.adapter(channel.provider), 'template', channel)
    return frameOf(draft, await definitions.ask(channel, draft.content.name), channel)
  }

  const templateOf = async (draft: Draft<'template'>, channel: DispatchChannel): Promise<Resolved> => {
    const { name, variables } = draft.content
    const { items, remembered } = await definitions.find(channel, name)
    const filled = async (found: TemplateDefinition[]): Promise<Resolved> => {
      const { fill, warnings } = await frameOf(draft, found, channel)
      return { content: fill(variables), warnings }
    }
    return filled(items).catch(async error => {
      // It may have been approved, or changed, since it was asked for.
      const aboutIt = error instanceof ServiceError && templateRefusals.has(error.code)
      if (!remembered || !aboutIt || !definitions.doubt(channel, name)) throw error
      return filled(await definitions.ask(channel, name))
    })
  }

  const buttonsOf = async (draft: Draft<'buttons'>, channel: DispatchChannel): Promise<Resolved> => {
    const { header, ...rest } = draft.content
    if (!header) return { content: rest, warnings: [] }
    if (header.text !== undefined) return { content: { ...rest, header: { text: header.text } }, warnings: [] }
    const { resolve, warnings } = await references.inHeader(header, draft, channel, '/buttons/header')
    const kind = (['image', 'video', 'document'] as const).find(each => header[each])!
    return { content: { ...rest, header: { kind, media: resolve(header[kind]!, kind) } }, warnings }
  }

  const contentOf = async (
    draft: Draft,
    channel: DispatchChannel,
    asFile: boolean,
    reader: Caller | undefined
  ): Promise<Resolved> => {
    if (isMedia(draft.type)) return references.own(draft as Draft<MediaType>, channel, asFile)
    if (draft.type === 'template') return templateOf(draft as Draft<'template'>, channel)
    if (draft.type === 'buttons') return buttonsOf(draft as Draft<'buttons'>, channel)
    if (draft.type !== 'reaction') return { content: draft.content, warnings: [] }
    const { messageId, emoji } = draft.content as ContentByType['reaction']
    const target = await providerIdOf(messageId, draft, channel, '/reaction/messageId', reader)
    return { content: { messageId: target, emoji }, warnings: [] }
  }

  const encodeNow: Preparation['encodeNow'] = ({ sendable, warnings }, channel) => {
    try {
      const encoded = encoderOf(providerClient.adapter(channel.provider), sendable.type, channel).encode(
        sendable as never,
        channel
      )
      return { request: encoded.request, warnings: [...warnings, ...encoded.warnings] }
    } catch (error) {
      if (error instanceof Unsupported)
        throw new ServiceError('unsupported', `Channel ${channel.id} (${channel.provider}): ${error.message}`)
      throw error
    }
  }

  return {
    prepare: async (draft, channel, reader) => {
      const encoder = encoderOf(providerClient.adapter(channel.provider), draft.type, channel)
      const { content, file, warnings } = await contentOf(draft, channel, encoder.media === 'file', reader)
      const replyTo =
        draft.replyTo === undefined ? undefined : await providerIdOf(draft.replyTo, draft, channel, '/replyTo', reader)
      const { [channel.provider]: options, ...others } = draft.providerOptions ?? {}
      return {
        sendable: {
          id: draft.id,
          to: draft.to,
          type: draft.type,
          content: content as never,
          ...(replyTo && { replyTo }),
          ...(options && { options })
        },
        ...(file && { file }),
        warnings: [
          ...warnings,
          ...Object.keys(others).map(
            name => `providerOptions.${name} has no meaning on this channel, whose provider is ${channel.provider}.`
          )
        ]
      }
    },
    frame,
    encodeNow,
    refused: ({ type, content }, channel, { aboutTemplate, provider }) => {
      if (type === 'template' && (aboutTemplate || provider.status === 404))
        definitions.doubt(channel, (content as ContentByType['template']).name)
    },
    encode: async (prepared, channel) => {
      if (!prepared.file) return encodeNow(prepared, channel)
      const { file, warnings, dispose } = await library.obtain(prepared.file, parts.sandboxed(channel))
      const content = { ...(prepared.sendable.content as ResolvedMedia), source: { file } }
      const complete = {
        ...prepared,
        sendable: { ...prepared.sendable, content },
        warnings: [...prepared.warnings, ...warnings]
      }
      try {
        return { ...encodeNow(complete, channel), dispose }
      } catch (error) {
        await dispose()
        throw error
      }
    }
  }
}
