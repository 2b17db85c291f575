import { type Static, Type } from '@sinclair/typebox'
import { ChannelId, Cursor, Instant, InstantInput, Limit, Mode, Page } from './common.ts'
import { nullable, ref, strict, stringEnum } from './kit.ts'
import { rotation } from './rotation.ts'

export const scopes = [
  'messages:send',
  'messages:read',
  'templates:read',
  'templates:write',
  'contacts:read',
  'contacts:write',
  'media:read',
  'media:write',
  'broadcasts:read',
  'broadcasts:write',
  'channels:read',
  'channels:write',
  'connections:read',
  'connections:write',
  'events:read',
  'webhooks:write',
  'inbound:read',
  'suppressions:read',
  'suppressions:write',
  'suppressions:ignore',
  'read_all',
  'native',
  'admin'
] as const
export type Scope = (typeof scopes)[number]

export const RateLimit = strict(
  {
    perSecond: Type.Number({ minimum: 0.001, maximum: 100_000, description: 'In the long run.' }),
    burst: Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'At once.' })
  },
  { $id: 'RateLimit', description: 'Requests.', examples: [{ perSecond: 10, burst: 20 }] }
)
export const Quota = strict(
  {
    perDay: Type.Integer({ minimum: 1, maximum: 1_000_000_000 }),
    timeZone: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, description: 'Where a day begins, as Europe/Berlin. Absent: UTC.' })
    )
  },
  {
    $id: 'Quota',
    description:
      'Requests a day. A broadcast counts its recipients; what is refused and what is answered again count nothing.',
    examples: [{ perDay: 10_000 }]
  }
)

const some = { uniqueItems: true, minItems: 1, maxItems: 100 }
/** The rights that a key can be given and that can be changed later. */
export const rights = {
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'For people; need not be unique.' })),
  scopes: Type.Array(stringEnum(scopes), {
    uniqueItems: true,
    minItems: 1,
    maxItems: scopes.length,
    description: 'admin implies every scope.'
  }),
  channels: Type.Optional(Type.Array(ChannelId, { ...some, description: 'Only these channels. Absent: all.' })),
  templates: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 512 }), {
      ...some,
      description: 'Only these templates. Absent: all.'
    })
  ),
  recipientPrefixes: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 64, examples: ['49'] }), {
      ...some,
      description:
        'Only numbers that begin so: 49, or +49. A person without a shared number can be written to only where the country is named as DE. (with the dot), as user ids begin. Absent: all.'
    })
  ),
  cidrs: Type.Optional(
    Type.Array(Type.String({ pattern: '^[0-9a-fA-F.:]{2,45}(/\\d{1,3})?$' }), {
      ...some,
      description: 'Only from these addresses. Absent: all.'
    })
  ),
  expiresAt: Type.Optional(InstantInput),
  rateLimit: Type.Optional(ref(RateLimit)),
  quota: Type.Optional(ref(Quota)),
  defaultChannel: Type.Optional(ChannelId)
}
export const Service = Type.String({
  pattern: '^[a-z0-9][a-z0-9._-]{0,62}$',
  examples: ['billing'],
  description: 'The calling service; several keys can carry it.'
})

export const CreateKey = strict(
  { service: Service, mode: Mode, ...rights },
  {
    $id: 'CreateKey',
    examples: [
      {
        service: 'billing',
        name: 'billing, first tries',
        mode: 'test',
        scopes: ['messages:send', 'messages:read'],
        channels: ['demo-cloud']
      }
    ]
  }
)
export type CreateKey = Static<typeof CreateKey>

export const { scopes: scopeList, ...optionalRights } = rights
export const PatchKey = strict(
  {
    scopes: Type.Optional(scopeList),
    ...Object.fromEntries(
      Object.entries(optionalRights).map(([name, schema]) => [name, Type.Optional(nullable({ ...schema }))])
    )
  },
  { $id: 'PatchKey', minProperties: 1, description: 'null takes a restriction away.', examples: [{ channels: null }] }
)
export type PatchKey = {
  scopes?: Scope[]
  name?: string | null
  channels?: string[] | null
  templates?: string[] | null
  recipientPrefixes?: string[] | null
  cidrs?: string[] | null
  expiresAt?: string | null
  rateLimit?: Static<typeof RateLimit> | null
  quota?: Static<typeof Quota> | null
  defaultChannel?: string | null
}

export const KeySecret = Type.Object(
  {
    id: Type.String(),
    lastFour: Type.String(),
    createdAt: Instant,
    expiresAt: Type.Optional(Instant),
    lastUsedAt: nullable(Type.String({ format: 'date-time', description: 'At most a minute old.' })),
    lastUsedFrom: nullable(Type.String())
  },
  { $id: 'KeySecret', additionalProperties: false }
)

/** Who a key or an identity is, and its rights, as they are shown. */
export const shownRights = {
  id: Type.String(),
  service: Type.String(),
  name: nullable(Type.String()),
  mode: Mode,
  scopes: Type.Array(stringEnum(scopes)),
  channels: nullable(Type.Array(Type.String())),
  templates: nullable(Type.Array(Type.String())),
  recipientPrefixes: nullable(Type.Array(Type.String())),
  cidrs: nullable(Type.Array(Type.String())),
  rateLimit: nullable(ref(RateLimit)),
  quota: nullable(ref(Quota)),
  defaultChannel: nullable(Type.String())
}
const shown = {
  ...shownRights,
  prefix: Type.String({ description: 'How the key begins, to recognise it by.' }),
  lastFour: Type.String(),
  createdAt: Instant,
  createdBy: Type.String(),
  expiresAt: nullable(Type.String({ format: 'date-time' })),
  revokedAt: nullable(Type.String({ format: 'date-time' })),
  lastUsedAt: nullable(Type.String({ format: 'date-time', description: 'To the minute.' })),
  secrets: Type.Array(ref(KeySecret), { description: 'Those that count now, newest first.' })
}
export const Key = Type.Object(shown, { $id: 'Key', additionalProperties: false })
export type Key = Static<typeof Key>
export const KeyWithSecret = Type.Object(
  { ...shown, secret: Type.String({ description: 'Shown this once. Keep it like a password.' }) },
  { $id: 'KeyWithSecret', additionalProperties: false }
)
export type KeyWithSecret = Static<typeof KeyWithSecret>
export const KeyPage = Page(ref(Key), 'KeyPage')
const id = Type.String({ pattern: '^key_[a-z0-9]{1,40}$' })
export const KeyParams = strict({ id })
export const SecretParams = strict({ id, secretId: Type.String({ pattern: '^sec_[a-z0-9]{1,40}$' }) })
export const RotateKey = rotation('RotateKey', 'How long the secret that was the newest goes on counting.')
export type RotateKey = Static<typeof RotateKey>
export const KeyQuery = strict({
  service: Type.Optional(Service),
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'A part of it, in either case.' })),
  lastFour: Type.Optional(
    Type.String({ pattern: '^[A-Za-z0-9_-]{4}$', description: 'How a secret of it ends, an older one’s too.' })
  ),
  unusedSince: Type.Optional(InstantInput),
  limit: Type.Optional(Limit),
  cursor: Type.Optional(Cursor)
})
export const RevokedKey = Type.Object(
  { subscriptions: Type.Array(Type.String(), { description: 'Those that have ended with it.' }) },
  { $id: 'RevokedKey', additionalProperties: false }
)
