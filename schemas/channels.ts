import { type Static, Type } from '@sinclair/typebox'
import { ownSettings } from './channel-settings.ts'
import { ChannelId, Instant, Page } from './common.ts'
import { messageTypes } from './content.ts'
import { nullable, ref, strict, stringEnum } from './kit.ts'

/** The name of a provider; which there are, the registry of adapters knows, and the document says. */
export const ProviderName = Type.String({ format: 'provider' })
export const ConnectionId = Type.String({
  pattern: '^[A-Za-z0-9_-]{1,128}$',
  description: "Maton's id of the account.",
  examples: ['21fd90f9-0000-4000-8000-000000000000']
})
const Value = Type.Unsafe<string | number | boolean>({ type: ['string', 'number', 'boolean'] })
const settingsForm = {
  type: 'object',
  maxProperties: 50,
  properties: ownSettings,
  additionalProperties: Value,
  description: "What any channel can set, and the provider's own settings, checked by its adapter.",
  providerSettings: true
}
const Settings = Type.Unsafe<Record<string, unknown>>(settingsForm)
const ChangedSettings = Type.Unsafe<Record<string, unknown>>({
  ...settingsForm,
  additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
  description: 'All settings anew. A secret that is left out stays; `null` takes it away.'
})

export const CreateChannel = strict(
  {
    id: ChannelId,
    provider: ProviderName,
    connectionId: ConnectionId,
    settings: Settings,
    default: Type.Optional(Type.Boolean())
  },
  {
    $id: 'CreateChannel',
    examples: [
      {
        id: 'support',
        provider: 'whatsapp-cloud',
        connectionId: '21fd90f9-0000-4000-8000-000000000000',
        settings: { phoneNumberId: '106540352242922', businessAccountId: '102290129340398' }
      }
    ]
  }
)
export type CreateChannel = Static<typeof CreateChannel>
export const PatchChannel = strict(
  {
    connectionId: Type.Optional(ConnectionId),
    settings: Type.Optional(ChangedSettings),
    default: Type.Optional(Type.Boolean())
  },
  { $id: 'PatchChannel', minProperties: 1, examples: [{ default: true }] }
)
export type PatchChannel = Static<typeof PatchChannel>

export const Capabilities = Type.Object(
  {
    messageTypes: Type.Array(stringEnum(messageTypes)),
    operations: Type.Array(Type.String({ description: 'Names of acts that this provider can do.' })),
    notes: Type.Array(Type.String())
  },
  { $id: 'Capabilities', additionalProperties: false, description: "Computed from the adapter's tables." }
)
export type Capabilities = Static<typeof Capabilities>

export const Channel = Type.Object(
  {
    id: Type.String(),
    provider: Type.String(),
    connectionId: Type.String(),
    settings: Settings,
    default: Type.Boolean(),
    paused: Type.Boolean(),
    managedBy: stringEnum(['file', 'api']),
    warnings: Type.Array(Type.String()),
    capabilities: Type.Optional(ref(Capabilities)),
    createdAt: nullable(Instant),
    updatedAt: nullable(Instant)
  },
  { $id: 'Channel', additionalProperties: false }
)
export type Channel = Static<typeof Channel>
export const ChannelPage = Page(ref(Channel), 'ChannelPage')
export const ChannelParams = strict({ id: ChannelId })
/** What the example of POST makes: Swagger UI must not offer to change or delete a channel of the demo. */
export const OwnChannelParams = strict({ id: { ...ChannelId, examples: ['support'] } })
