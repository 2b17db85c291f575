import type { StandIn } from '../stand-in.ts'
import { badRequest } from './answers.ts'
import { watiOperations } from './operations.ts'
import { says } from './refusals.ts'
import { watiWording } from './webhooks.ts'

/** The stand-in for WATI. */
export const wati: StandIn = {
  name: 'wati',
  app: 'wati',
  method: 'API_KEY',
  operations: watiOperations,
  says,
  malformed: badRequest,
  webhooks: {
    wording: watiWording,
    hooks: {
      keys: ({ connectionId }) => [`tenant/${connectionId}`],
      scope: ({ numberId }) => (numberId === '' ? {} : { phone: numberId }),
      signed: false,
      defective: true
    }
  }
}
