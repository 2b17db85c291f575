import type { AuditEntry } from '../../../schemas/audit.ts'
import type { Identity } from '../../../schemas/identities.ts'
import type { Key } from '../../../schemas/keys.ts'
import type { View } from '../visit.ts'

/** Who may do what, and who has done it. */
export const keyViews: readonly View[] = [
  {
    path: '/keys',
    template: 'keys',
    title: 'Keys',
    show: async ({ api, fields }) => {
      const { service, name, lastFour, cursor } = fields
      return { page: await api.get<{ items: Key[] }>('/keys', { service, name, lastFour, cursor, limit: 50 }) }
    }
  },
  {
    path: '/keys/:id',
    template: 'key',
    title: 'Key',
    show: async ({ api, params }) => {
      const id = encodeURIComponent(params.id!)
      const audit = await api.look<{ items: AuditEntry[] }>('/audit', { target: params.id, limit: 10 })
      return { shown: await api.get<Key>(`/keys/${id}`), audit }
    }
  },
  {
    path: '/identities',
    template: 'identities',
    title: 'Identities',
    show: async ({ api, fields }) => {
      const { service, cursor } = fields
      return { page: await api.get<{ items: Identity[] }>('/identities', { service, cursor, limit: 50 }) }
    }
  },
  {
    path: '/audit',
    template: 'audit',
    title: 'Audit',
    show: async ({ api, fields }) => {
      const { target, cursor } = fields
      return { page: await api.get<{ items: AuditEntry[] }>('/audit', { target, cursor, limit: 50 }) }
    }
  }
]
