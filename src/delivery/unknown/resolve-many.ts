import { setImmediate } from 'node:timers/promises'
import { mostResolved, type ResolvedMessages, type ResolveMessages } from '../../../schemas/unknown.ts'
import { ServiceError } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { type Caller, requireRecipient, requireTemplate } from '../../keys/caller.ts'
import type { OpenFilter, OpenRow } from '../../messages/doubt.ts'
import { askedBy } from '../../messages/filter.ts'
import { identities } from '../../messages/identities.ts'
import { queueOf } from '../../messages/queue.ts'
import { day } from '../../messages/row.ts'
import { refusalOf, type Suppressed } from '../../messages/suppressed.ts'
import { timelineEntry } from '../../messages/timeline.ts'
import { isUserId, requirePerson } from '../../phone.ts'
import { auditEntry } from '../../store/audit.ts'
import type { MessageRow } from '../../store/schema.ts'
import { change, first, type Unit } from '../../store/store.ts'
import type { BacklogLimit } from '../intake/backlog-limit.ts'
import { type ResendParts, requireResendable, requireRisk } from './resend.ts'

/** Settles many unknown messages at once, by the caller's word. */
export type ResolveMany = (caller: Caller, body: ResolveMessages) => Promise<ResolvedMessages>

export interface ResolveManyParts extends Omit<ResendParts, 'messages' | 'intake'> {
  backlogLimit: BacklogLimit
  suppressed: Suppressed
  /** Told that messages wait. */
  wake: (mode: MessageRow['mode']) => void
}

/** Rows that are looked at in one query: each brings its timeline. */
const pageSize = 200
/** Rows in one commit, each of which is up to three statements: the embedded store stands still for as long. */
const batch = 50

/** A message that waits in place of one that is unknown: one of many, so in the lane that yields. */
const copyOf = (row: MessageRow, caller: Caller, id: string, now: number): MessageRow => {
  // A number may be somebody else's by now, and it is that person's message then.
  const user_id = row.contact !== null && isUserId(row.contact) ? row.contact : null
  const copy: MessageRow = { ...row, user_id, lane: 1, broadcast_id: null }
  return {
    ...copy,
    id,
    key_id: caller.keyId,
    state: 'queued',
    final: 0,
    attempts: 0,
    queue: queueOf(copy),
    run_at: now,
    lease_until: null,
    send_at: null,
    expires_at: now + day,
    resend_of: row.id,
    traceparent: null,
    timeline: '',
    created_at: now
  }
}

export function createResolveMany(parts: ResolveManyParts): ResolveMany {
  const { store, queries, unknown, suppressed, notifications, sleepers, backlogLimit, wake } = parts
  const names = identities(store)

  /** May this key send this, now? */
  const requireRight = (caller: Caller, row: OpenRow): void => {
    requireRecipient(caller, row.contact ?? '')
    if (row.type === 'template') requireTemplate(caller, (JSON.parse(row.content!) as { name: string }).name)
  }

  /** Every one that is meant, in the order of their ids; each may be resolved so. */
  const choose = async (caller: Caller, filter: OpenFilter, body: ResolveMessages): Promise<OpenRow[]> => {
    const chosen: OpenRow[] = []
    const asked = askedBy(caller, filter)
    let after = ''
    for (;;) {
      const rows = await store.read(unknown.page({ ...asked, after, limit: pageSize }))
      for (const { fits, ...row } of rows) {
        if (!fits) continue
        if (body.verdict === 'resend') {
          requireResendable(row, sleepers, store.clock())
          requireRight(caller, row)
        }
        // What is not needed any more: ten thousand of them stay in memory.
        chosen.push({ ...row, content: null, timeline: '' })
      }
      if (rows.length < pageSize || chosen.length > mostResolved) return chosen
      after = rows.at(-1)!.id
      // Others have their turn.
      await setImmediate()
    }
  }

  /** Nobody who must get no message at all; of the rest a template's category is known once it is dispatched. */
  const requireNobodyStopped = async ({ mode }: Caller, chosen: readonly OpenRow[]): Promise<void> => {
    for (const [channel_id, rows] of Map.groupBy(chosen, row => row.channel_id))
      for (let i = 0; i < rows.length; i += pageSize) {
        const people = rows.slice(i, i + pageSize).flatMap(({ contact }) => contact ?? [])
        const said = await suppressed.amongNow({ mode, channel_id, marketing: false }, people)
        for (const standing of said.values()) throw refusalOf(standing)
      }
  }

  function* one(caller: Caller, { id, attempts }: OpenRow, verdict: ResolveMessages['verdict']): Unit<number> {
    const by = `${verdict} by ${caller.keyId}, with others`
    if (verdict === 'confirm_sent') {
      const entry = timelineEntry(store.clock(), { state: 'accepted', attempts }, by)
      return yield* change(unknown.confirm({ id, at: store.clock(), entry }))
    }
    if (verdict === 'abandon') {
      const entry = timelineEntry(store.clock(), { state: 'unknown', attempts }, by)
      return yield* change(unknown.close({ id, resolution: 'abandoned', entry }))
    }
    const made = newId('msg')
    const entry = timelineEntry(store.clock(), { state: 'unknown', attempts }, `${by}: sent anew as ${made}`)
    if ((yield* change(unknown.close({ id, resolution: 'resent', entry }))) === 0) return 0
    const row = (yield* first(queries.byId({ id })))!
    yield queries.insert({ ...copyOf(row, caller, made, store.clock()), lease_ms: sleepers.leaseMs })
    return 1
  }

  return async (caller, body) => {
    const { verdict, expectedCount } = body
    const { contact, ...rest } = body.filter
    const person = contact === undefined ? undefined : requirePerson(contact, '/filter/contact')
    const people = person === undefined ? undefined : await names.of(caller.mode, rest.channel, person)
    const filter: OpenFilter = { ...rest, people }
    if (verdict === 'resend') requireRisk(body.acceptDuplicateRisk)
    const chosen = await choose(caller, filter, body)
    if (chosen.length !== expectedCount) {
      const real = chosen.length > mostResolved ? `more than ${mostResolved}` : String(chosen.length)
      throw new ServiceError(
        'conflict',
        `The filter means ${real} messages, not ${expectedCount}: nothing was changed.`
      )
    }
    if (verdict === 'resend') await requireNobodyStopped(caller, chosen)
    if (verdict === 'resend')
      for (const service of new Set(chosen.map(row => row.service)))
        await backlogLimit(service, caller.mode, chosen.filter(row => row.service === service).length)
    let count = 0
    for (let i = 0; i < chosen.length; i += batch) {
      const some = chosen.slice(i, i + batch)
      count += await store.write(function* () {
        let changed = 0
        for (const row of some) changed += yield* one(caller, row, verdict)
        if (i === 0) {
          const told = { ...rest, ...(person && { contact: `…${person.slice(-4)}` }) }
          yield* auditEntry(store, caller, 'messages.resolved', 'messages', { verdict, filter: told, expectedCount })
        }
        return changed
      })
      for (const { id } of some) notifications.publish(id)
      if (verdict === 'resend') wake(caller.mode)
    }
    return { verdict, count }
  }
}
