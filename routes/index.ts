import type { RoutePlugin } from '../src/fastify.ts'
import { audit } from './audit.ts'
import { channels } from './channels.ts'
import { health } from './health.ts'
import { keys } from './keys.ts'
import { media } from './media.ts'
import { messages } from './messages.ts'

/** All routes of the API, in the order of the document. */
export const routes: readonly RoutePlugin[] = [messages, media, channels, keys, audit, health]
