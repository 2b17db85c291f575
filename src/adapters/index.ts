import type { AnyAdapter } from './adapter.ts'
import { wati } from './wati/index.ts'
import { whatsappCloud } from './whatsapp-cloud/index.ts'

/** Every provider, by the name that channels give it. To add one: src/adapters/README.md. */
export const adapters: ReadonlyMap<string, AnyAdapter> = new Map(
  [wati, whatsappCloud].map(adapter => [adapter.provider, adapter as AnyAdapter])
)
