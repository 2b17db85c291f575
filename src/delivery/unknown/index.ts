import type { Logger } from 'pino'
import { unknownQueries } from '../../messages/doubt.ts'
import { createProviderStatus } from '../../messages/provider-status.ts'
import { createFinaliser, type Finaliser } from './finalise.ts'
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

export type AssemblyParts = Omit<ResendParts & ResolveManyParts & ReconcileParts, 'unknown' | 'providerStatus'> & {
  log: Logger
}

export function assembleUnknown(given: AssemblyParts): { unknowns: Unknowns; finaliser: Finaliser } {
  const { store } = given
  const parts = { ...given, unknown: unknownQueries(store), providerStatus: createProviderStatus(store) }
  return {
    unknowns: {
      resend: createResend(parts),
      resolve: createResolve(parts),
      resolveMany: createResolveMany(parts),
      reconcile: createReconcile(parts)
    },
    finaliser: createFinaliser(parts)
  }
}
