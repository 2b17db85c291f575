import { USER_ID } from '../call.ts'
import { hex } from '../ids.ts'

export interface CustomParam {
  name: string
  value: string
}

/** A contact as WATI shows it (docs/upstream.md 3.6); `created` is not ISO. */
export interface Contact {
  id: string
  wAid: string
  /** null for a person who shares no number */
  phone: string | null
  /** WhatsApp's id of the person for this business, where there is one */
  bsuid?: string
  firstName: string
  fullName: string
  source: string | null
  contactStatus: string
  photo: string | null
  created: string
  lastUpdated: string
  customParams: CustomParam[]
  tags: string[]
  optedIn: boolean
  allowBroadcast: boolean
  allowSMS: boolean
  isDeleted: boolean
  teamIds: string[]
  isInFlow: boolean
  lastFlowId: string | null
  currentFlowNodeId: string | null
  selectedHubspotId: string | null
}

export interface Contacts {
  all(): Contact[]
  byPhone(phone: string): Contact | undefined
  byId(id: string): Contact | undefined
  /** a new contact, not yet kept */
  make(phone: string, name: string | undefined, params: CustomParam[]): Contact
  keep(contact: Contact): void
}

type Row = readonly [phone: string, name: string, day: string, status: string, params: Record<string, string>]

/** Names, dates and attributes that differ, so that every filter has something to find and something to leave. */
const ROWS: readonly Row[] = [
  ['14155551234', 'Ada Lovelace', '2024-05-14', 'VALID', { city: 'London', plan: 'gold' }],
  ['14155551235', 'Alan Turing', '2024-05-14', 'VALID', { city: 'Manchester', plan: 'silver' }],
  ['14155551236', 'Grace Hopper', '2024-05-15', 'VALID', { city: 'New York', plan: 'gold' }],
  ['14155551237', 'Edsger Dijkstra', '2024-06-01', 'VALID', { city: 'Rotterdam' }],
  ['14155551238', 'Barbara Liskov', '2024-06-01', 'INVALID', { city: 'Los Angeles', plan: 'basic' }],
  ['14155551239', 'Donald Knuth', '2024-06-18', 'VALID', { city: 'Milwaukee', plan: 'gold' }],
  ['442079460001', 'Tim Berners-Lee', '2024-07-02', 'VALID', { city: 'London', plan: 'basic' }],
  ['442079460002', 'Mary Shelley', '2024-07-02', 'VALID', { city: 'London', birthday: '1797-08-30' }],
  ['442079460003', 'Charles Babbage', '2024-07-30', 'INVALID', { city: 'London', plan: 'silver' }],
  ['4930901820001', 'Konrad Zuse', '2024-08-11', 'VALID', { city: 'Berlin', plan: 'silver' }],
  ['4930901820002', 'Emmy Noether', '2024-08-11', 'VALID', { city: 'Erlangen' }],
  ['4930901820003', 'Jörg Müller', '2024-09-09', 'VALID', { city: 'Köln', plan: 'gold' }],
  ['33170990001', 'Émilie du Châtelet', '2024-10-01', 'VALID', { city: 'Paris', plan: 'basic' }],
  ['33170990002', 'Blaise Pascal', '2024-10-31', 'VALID', { city: 'Clermont-Ferrand' }],
  ['8613800138000', '李雷', '2024-11-05', 'VALID', { city: '北京', plan: 'gold' }],
  ['8613800138001', '韩梅梅', '2024-11-05', 'VALID', { city: '上海' }],
  ['85264318722', 'Wong Ka Wai', '2024-12-24', 'VALID', { city: 'Hong Kong', plan: 'silver' }],
  ['919876543210', 'Srinivasa Ramanujan', '2025-01-01', 'VALID', { city: 'Chennai', plan: 'gold' }],
  ['919876543211', 'Shakuntala Devi', '2025-01-26', 'VALID', { city: 'Bengaluru', plan: '' }],
  ['5511955250001', 'João Silva', '2025-02-28', 'INVALID', { city: 'São Paulo' }],
  ['81312345678', 'Ai Tanaka', '2025-03-03', 'VALID', { plan: 'basic' }],
  ['966501234567', 'Al-Khwarizmi', '2025-04-17', 'VALID', { city: 'Riyadh', plan: 'gold' }],
  ['6281234567890', 'Ada Wijaya', '2025-05-20', 'VALID', {}]
]

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

/** A day as WATI writes it, `May-14-2024` (docs/upstream.md 3.6). */
export function watiDay(date: Date): string {
  return `${MONTHS[date.getUTCMonth()]}-${String(date.getUTCDate()).padStart(2, '0')}-${date.getUTCFullYear()}`
}

function make(phone: string, name: string | undefined, customParams: CustomParam[], created = new Date()): Contact {
  return {
    id: hex(),
    wAid: phone,
    ...(USER_ID.test(phone) ? { phone: null, bsuid: phone } : { phone }),
    firstName: (name ?? phone).split(' ')[0] ?? '',
    fullName: name ?? phone,
    source: null,
    contactStatus: 'VALID',
    photo: null,
    created: watiDay(created),
    lastUpdated: created.toISOString(),
    customParams,
    tags: [],
    optedIn: true,
    allowBroadcast: true,
    allowSMS: true,
    isDeleted: false,
    teamIds: [],
    isInFlow: false,
    lastFlowId: null,
    currentFlowNodeId: null,
    selectedHubspotId: null
  }
}

/** Exactly 23 contacts, and what is added to them. */
export function createContacts(): Contacts {
  const kept = new Map<string, Contact>()
  ROWS.forEach(([phone, name, day, contactStatus, params], at) => {
    const customParams = Object.entries(params).map(([key, value]) => ({ name: key, value }))
    const contact = make(phone, name, customParams, new Date(`${day}T08:00:00.000Z`))
    kept.set(phone, { ...contact, contactStatus, id: `64f0c0de${String(at + 1).padStart(16, '0')}` })
  })
  return {
    all: () => [...kept.values()],
    byPhone: phone => kept.get(phone),
    byId: id => kept.values().find(contact => contact.id === id),
    make: (phone, name, params) => kept.get(phone) ?? make(phone, name, params),
    keep: contact => {
      kept.set(contact.wAid, contact)
    }
  }
}
