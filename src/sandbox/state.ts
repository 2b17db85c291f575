import { type Medium, type Profile, seedMedia, seedProfiles } from './cloud/seed-numbers.ts'
import { seedTemplates, type Template } from './cloud/seed-templates.ts'
import { type Connection, seedConnections } from './maton/seed-connections.ts'
import { type Contacts, createContacts } from './wati/seed-contacts.ts'
import { createFiles, type Files, type MessageItem, seedMessages } from './wati/seed-messages.ts'
import { seedWatiTemplates, type WatiTemplate } from './wati/seed-templates.ts'

/** Everything that the stand-ins remember; a new one for each sandbox. */
export interface State {
  connections: Map<string, Connection>
  /** ids that were deleted, and are no longer taken */
  deletedConnections: Set<string>
  contacts: Contacts
  /** WATI's history per number, oldest first */
  messages: Map<string, MessageItem[]>
  files: Files
  media: Map<string, Medium>
  templates: Map<string, Template>
  /** names that Meta keeps locked after a deletion (docs/upstream.md 4.7) */
  lockedNames: Set<string>
  watiTemplates: Map<string, WatiTemplate>
  profiles: Map<string, Profile>
  /** business accounts that Maton's app is subscribed to */
  subscribed: Set<string>
}

/** The world at the start of a sandbox. */
export function createState(): State {
  const templates = seedTemplates()
  return {
    connections: seedConnections(),
    deletedConnections: new Set(),
    contacts: createContacts(),
    messages: seedMessages(),
    files: createFiles(),
    media: seedMedia(),
    templates,
    lockedNames: new Set(),
    watiTemplates: seedWatiTemplates(templates.values()),
    profiles: seedProfiles(),
    subscribed: new Set()
  }
}
