import t, { type Test } from 'tap'
import type { Store } from '../../src/store/store.ts'
import { arrivalCases } from './store-arrivals.ts'
import { auditCases } from './store-audit.ts'
import { roomCases } from './store-backlog.ts'
import { blockCases } from './store-blocks.ts'
import { broadcastCases } from './store-broadcasts.ts'
import { channelCases } from './store-channels.ts'
import { contactCases } from './store-contacts.ts'
import { eraseCases } from './store-erase.ts'
import { eraseBodyCases } from './store-erase-bodies.ts'
import { eventCases } from './store-events.ts'
import { handCases } from './store-hands.ts'
import { happeningCases } from './store-happenings.ts'
import { heardCases } from './store-heard.ts'
import { attemptCases } from './store-heard-attempts.ts'
import { holdCases } from './store-hold.ts'
import { idempotencyCases } from './store-idempotency.ts'
import { identityCases } from './store-identities.ts'
import { keyCases } from './store-keys.ts'
import { limitCases } from './store-limits.ts'
import { listCases } from './store-list.ts'
import { mediaCases } from './store-media.ts'
import { messageCases } from './store-messages.ts'
import { missingChannelCases } from './store-missing-channels.ts'
import { queueCases } from './store-queue.ts'
import { retentionCases, rowRetentionCases } from './store-retention.ts'
import { secretCases } from './store-secrets.ts'
import { suppressionCases } from './store-suppressions.ts'
import { textCases } from './store-text.ts'
import { unitCases } from './store-units.ts'
import { unknownCases } from './store-unknown.ts'
import { usageCases } from './store-usage.ts'
import { walkCases } from './store-walks.ts'
import { webhookCases } from './store-webhooks.ts'
import '../patience.ts'

/** One empty store for one case; whoever opened it closes it with the case. */
export interface Opened {
  store: Store
  /** Another process's view of the same tables, where the database can be shared. */
  replica?: () => Promise<Store>
}
export type Opener = (t: Test) => Promise<Opened>
export type Case = (sentence: string, check: (t: Test, opened: Opened) => Promise<unknown>) => void

const subjects = {
  units: unitCases,
  'what is stored': textCases,
  messages: messageCases,
  queue: queueCases,
  'messages in doubt': unknownCases,
  'what providers tell': heardCases,
  'what they tell of attempts': attemptCases,
  'what arrives': arrivalCases,
  'the journal of events': eventCases,
  'what else has an event': happeningCases,
  'kept webhooks': webhookCases,
  'channels that are missing in their file': missingChannelCases,
  'blocks and turns': blockCases,
  'the hold after a restore': holdCases,
  'room in the queue': roomCases,
  'lists of messages': listCases,
  'what lists are made of': walkCases,
  broadcasts: broadcastCases,
  'idempotency keys': idempotencyCases,
  'API keys': keyCases,
  'secrets of keys': secretCases,
  'limits of callers': limitCases,
  'the audit log': auditCases,
  usage: usageCases,
  channels: channelCases,
  'names of people': identityCases,
  'numbers that change hands': handCases,
  'who must not be messaged': suppressionCases,
  'the address book': contactCases,
  'people who are erased': eraseCases,
  'webhooks of people who are erased': eraseBodyCases,
  'kept files': mediaCases,
  'what is kept for a time only': retentionCases,
  'rows that end': rowRetentionCases
}

/** Every store does all of this (docs/reliability.md P35): the same cases, whatever the database. */
export function storeConformance(name: string, open: Opener, on: Test = t): Promise<unknown> {
  return on.test(`the store on ${name}`, async t => {
    for (const [subject, cases] of Object.entries(subjects)) {
      await t.test(subject, async t => {
        const pending: Promise<unknown>[] = []
        cases((sentence, check) => {
          pending.push(t.test(sentence, async t => void (await check(t, await open(t)))))
        })
        await Promise.all(pending)
      })
    }
  })
}
