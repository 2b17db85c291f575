import type { Logger } from 'pino'
import { unknownQueries } from '../../messages/doubt.ts'
import { createProofs } from '../../messages/provider-status.ts'
import { createOverdue, type Overdue } from './finalise.ts'
import { createReconcile, type Reconcile, type ReconcileParts } from './reconcile.ts'
import { createResend, type Resend, type ResendParts } from './resend.ts'
import { createResolve, type Resolve } from './resolve.ts'
import { createResolveMany, type ResolveMany, type ResolveManyParts } from './resolve-many.ts'

/** What can be done with messages that did not arrive, or of which nobody knows. */
export interface Unknowns {
  resend: Resend
  resolve: Resolve
  resolveMany: ResolveMany
  reconcile: Reconcile
}

export type UnknownRoomParts = Omit<ResendParts & ResolveManyParts & ReconcileParts, 'unknown' | 'proofs'> & {
  log: Logger
}

export function createUnknownRoom(given: UnknownRoomParts): { unknowns: Unknowns; overdue: Overdue } {
  const { store } = given
  const parts = { ...given, unknown: unknownQueries(store), proofs: createProofs(store) }
  return {
    unknowns: {
      resend: createResend(parts),
      resolve: createResolve(parts),
      resolveMany: createResolveMany(parts),
      reconcile: createReconcile(parts)
    },
    overdue: createOverdue(parts)
  }
}
