import type { AnyAdapter } from './adapter.ts'
import * as all from './all.ts'

/** Every provider, by the name that channels give it. To add one: README.md beside this file. */
export const adapters: ReadonlyMap<string, AnyAdapter> = new Map(
  Object.values<AnyAdapter>(all).map(adapter => [adapter.provider, adapter])
)
