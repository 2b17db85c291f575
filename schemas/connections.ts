import { type Static, Type } from '@sinclair/typebox'
import { ConnectionId, ProviderName } from './channels.ts'
import { Instant, Page } from './common.ts'
import { nullable, ref, strict, stringEnum } from './kit.ts'

const statuses = ['active', 'pending', 'failed'] as const

export const CreateConnection = strict(
  { provider: ProviderName },
  { $id: 'CreateConnection', examples: [{ provider: 'whatsapp-cloud' }] }
)
export type CreateConnection = Static<typeof CreateConnection>

export const Connection = Type.Object(
  {
    id: Type.String({ examples: ['21fd90f9-0000-4000-8000-000000000000'] }),
    provider: ProviderName,
    status: stringEnum([...statuses, 'unknown'], {
      description: 'pending: a person has yet to open authorizationUrl. unknown: Maton uses a word that we do not know.'
    }),
    method: Type.Optional(Type.String({ description: 'How it is authorised, e.g. oauth2 or api_key.' })),
    createdAt: nullable(Instant),
    updatedAt: nullable(Instant),
    authorizationUrl: Type.Optional(
      Type.String({
        description:
          'Where a person completes the connection in a browser. A secret: given only to keys with connections:write.'
      })
    ),
    channels: Type.Array(Type.String(), { description: 'The channels that use it, of those that the key may use.' })
  },
  { $id: 'Connection', additionalProperties: false }
)
export type Connection = Static<typeof Connection>
export const ConnectionPage = Page(ref(Connection), 'ConnectionPage')

export const ConnectionParams = strict({ id: ConnectionId })
export const ConnectionQuery = strict({
  provider: Type.Optional(ProviderName),
  status: Type.Optional(stringEnum(statuses))
})
export type ConnectionQuery = Static<typeof ConnectionQuery>
export const DeleteConnectionQuery = strict({
  force: Type.Optional(Type.Boolean({ description: 'true: also where a channel uses it, which then cannot send.' }))
})
