import { createHash } from 'node:crypto'
import type { Heard, HeardInbound, HeardOutgoing, HeardStatus, Person } from '../adapters/adapter.ts'
import type { DispatchChannel } from '../dispatch/provider-client.ts'
import { ServiceError, toMessageError } from '../errors.ts'
import { identities, namesOf } from '../messages/identities.ts'
import { messageIds } from '../messages/provider-ids.ts'
import { createProviderStatus, type ProviderEvent } from '../messages/provider-status.ts'
import { eventEntry } from '../store/event-entry.ts'
import type { MessageRow } from '../store/schema.ts'
import { all, change, prepare, type Store, storableJson, type Unit } from '../store/store.ts'
import { createRows, type FileKeeper, personJson, shownPerson } from './rows.ts'
import { createWhose } from './whose.ts'

/** Where something was told, and what else it may be about. */
export interface Place {
  /** The channel that it is read as. */
  channel: DispatchChannel
  /** All channels of this number and connection, that one among them: a message of any of them may be meant. */
  siblings: readonly string[]
  /** When its webhook came. */
  receivedAt: number
}

/** What became of something that was told. */
export interface Effect {
  /** `known`: it has had its effect before. `parked`: it belongs to no message yet. `ignored`: nothing follows from it. */
  outcome: 'done' | 'known' | 'parked' | 'ignored'
  /** It told what became of a message that we sent. */
  ours?: true
  /** The message that it changed or made. */
  message?: { id: string; status: string }
}

/** What follows from a kind of thing that is told. Inside the unit that marks it as told. */
export type HeardHandler<K extends Heard['kind']> = (heard: Extract<Heard, { kind: K }>, place: Place) => Unit<Effect>
export type HeardHandlers = { readonly [K in Heard['kind']]?: HeardHandler<K> }

/** What a person's message says beside being one: in the unit that keeps it, once. */
export type HeardMessageHook = (row: MessageRow, heard: HeardInbound, place: Place) => Unit<void>

export interface EffectsParts {
  store: Store
  typeBase: string
  keepFile: FileKeeper
  /** Kinds whose effects are other rooms' business. */
  handlers?: HeardHandlers
  heardMessage?: HeardMessageHook
}

export interface Effects {
  /** Inside a unit: the effect of one thing that was told, once, whatever is told of it again. */
  apply: (heard: Heard, place: Place) => Unit<Effect>
  /** Inside a unit: what nobody has claimed in time becomes somebody else's message. Answers how many were due. */
  disown: (place: (channelId: string, mode: MessageRow['mode']) => DispatchChannel | undefined) => Unit<number>
}

/** A provider may tell of our own files, buttons and lists before it answers us: so long somebody's message may be ours (docs/api.md 12). */
const patienceMs = 60_000

/** So long while nobody knows whether a message of ours arrived: WATI tells again after ten minutes (docs/webhooks.md A1). */
const longPatienceMs = 15 * 60_000

/** WATI tells again ten minutes later what was not acknowledged. */
const repeatMs = 30 * 60_000

/** What comes within this is in time. */
const lateMs = 10_000

/** What is told of the account or a template concerns each channel that has it: their keys may differ. */
const toldToAll: ReadonlySet<Heard['kind']> = new Set(['account', 'template'])

/** Whom an event is about, for its erasure. */
function about(...people: (Person | undefined)[]): { contact?: string } {
  const contact = people.map(person => person?.phone ?? person?.userId).find(name => name !== undefined)
  return contact === undefined ? {} : { contact }
}

export function createEffects(parts: EffectsParts): Effects {
  const { store, typeBase, keepFile, handlers: others = {}, heardMessage } = parts
  const { build } = store
  const ids = messageIds(store)
  const people = identities(store)
  const providerStatus = createProviderStatus(store)
  const rows = createRows(store, keepFile)
  const whose = createWhose(store)
  const mark = prepare<{ channel: string; mode: string; identity: string; at: number }, unknown>(p =>
    build
      .insertInto('heard_events')
      .values({ channel_id: p.channel, mode: p.mode as 'live', identity: p.identity, at: p.at })
      .onConflict(conflict => conflict.doNothing())
  )
  /** The last that was told of something in some time; marks of it are in the order in which they came. */
  const lastMark = prepare<{ channel: string; mode: string; from: string; to: string }, { identity: string }>(p =>
    build
      .selectFrom('heard_events')
      .select('identity')
      .where('channel_id', '=', p.channel)
      .where('mode', '=', p.mode as 'live')
      .where('identity', '>=', p.from)
      .where('identity', '<', p.to)
      .orderBy('identity', 'desc')
      .limit(1)
  )

  /** Marks what was told. What has no instant has that in which it came, by which a replay finds it as well. */
  function* isNews(
    { identity, timeless }: Heard,
    { channel: { id: channel, mode }, receivedAt }: Place
  ): Unit<boolean> {
    const at = store.clock()
    if (timeless === undefined) return (yield* change(mark({ channel, mode, identity, at }))) > 0
    const words = createHash('sha256').update(identity).digest('base64url').slice(0, 16)
    const told = (time: number): string => `${timeless}/${String(Math.max(0, time)).padStart(13, '0')}/`
    const own = told(receivedAt)
    const [last] = yield* all(lastMark({ channel, mode, from: told(receivedAt - repeatMs), to: own }))
    if (last?.identity.endsWith(`/${words}`)) return false
    return (yield* change(mark({ channel, mode, identity: own + words, at }))) > 0
  }

  const providerEvent = (heard: HeardStatus | HeardOutgoing, { receivedAt }: Place): ProviderEvent => {
    const told =
      heard.kind === 'status' ? heard : { ...heard, status: 'sent' as const, failure: undefined, price: undefined }
    const { failure, price, recipient, status } = told
    const known = heard.ids.filter(id => id !== heard.ours)
    const error =
      failure &&
      toMessageError(
        new ServiceError(failure.code, failure.detail, { provider: failure.provider, outcome: 'not_sent' }),
        typeBase,
        true
      )
    const { billable: _, ...pricing } = price ?? {}
    return {
      status: status === 'played' ? 'read' : status,
      // A clock that is ahead must not have something happen tomorrow.
      at: Math.min(heard.at ?? receivedAt, store.clock()),
      providerMessageId: known[0] ?? null,
      ids: known,
      ...(error && { error: storableJson(error) }),
      detail: failure ? `The provider's webhook says: ${failure.detail}` : `The provider's webhook says: ${status}.`,
      ...(recipient && personJson(recipient) !== undefined && { person: personJson(recipient)! }),
      ...(Object.keys(pricing).length > 0 && { pricing: storableJson(pricing) })
    }
  }

  /** To the message that it is about; else it waits until that is known. */
  function* settle(
    heard: HeardStatus | HeardOutgoing,
    place: Place,
    dueAt: number | null,
    again = false
  ): Unit<Effect> {
    const event = providerEvent(heard, place)
    const meant = yield* whose.find(heard, place)
    if (meant) {
      const { id, attempt, known } = meant
      const fresh = event.ids!.filter(each => !known.includes(each))
      const changed = yield* providerStatus.settleFromProvider({ id }, { ...event, attempt, ids: fresh })
      return { outcome: 'done', ours: true, ...(changed && { message: { id, status: event.status } }) }
    }
    if (event.ids!.length === 0) return { outcome: 'ignored' }
    const { mode, id } = place.channel
    // Locked in one order, whichever of the doors it came through.
    const places = [...place.siblings].sort().map(channel_id => ({ channel_id, mode }))
    const channels = [id, ...place.siblings.filter(each => each !== id)]
    const parked = { identity: heard.identity, event, channels, ...(dueAt !== null && { else: heard }) }
    // Somebody may have learnt one of its ids this very moment; else it names a message that is not kept any more.
    if (yield* ids.park(places, event.ids!, parked, dueAt)) return { outcome: 'parked' }
    return again ? { outcome: 'ignored' } : yield* settle(heard, place, dueAt, true)
  }

  /** Sent through our number by somebody else. */
  function* operators(heard: HeardOutgoing, place: Place): Unit<Effect> {
    const row = yield* rows.operators(heard, place)
    yield* providerStatus.adopt(row, row.attempts, heard.ids)
    return { outcome: 'done', message: { id: row.id, status: row.state } }
  }

  /** All names that are told of a writer are one person’s from now on. */
  function* meet({ sender, at }: HeardInbound, { channel, receivedAt, siblings }: Place): Unit<void> {
    const told = { at: at ?? receivedAt, siblings }
    yield* people.link({ channel_id: channel.id, mode: channel.mode }, namesOf(sender), told)
  }
  /** Another variant of a message may know more of its writer. Answers whether it is known: under no id, once the writer was erased. */
  function* meetAgain(heard: HeardInbound, place: Place): Unit<boolean> {
    const { id, mode } = place.channel
    if ((yield* all(ids.find(mode, [id], heard.ids))).length === 0) return false
    yield* meet(heard, place)
    return true
  }

  /** What comes late under a number alone may be by somebody who had that number before. */
  function* byItsWriter(heard: HeardInbound, { channel, receivedAt }: Place): Unit<HeardInbound> {
    const { sender, at = receivedAt } = heard
    if (sender.phone === undefined || sender.userId !== undefined || at > receivedAt - lateMs) return heard
    const userId = yield* people.formerOwner({ channel_id: channel.id, mode: channel.mode }, sender.phone, at)
    return userId === undefined ? heard : { ...heard, sender: { ...sender, userId } }
  }

  const own: HeardHandlers = {
    // Known under another number or id from now on; a new security code is no new name.
    person: function* ({ change, before, after, at }, { channel: { id: channel, mode }, receivedAt, siblings }) {
      const told = { before: namesOf(before).names, at: at ?? receivedAt, siblings }
      if (change !== 'identity') yield* people.link({ channel_id: channel, mode }, namesOf(after), told)
      const data = { change, before: shownPerson(before), after: shownPerson(after) }
      yield eventEntry(store, { type: 'contact.changed', mode, channel, ...about(after, before), data })
      return { outcome: 'done' }
    },
    ownership: function* ({ person, change, ours, detail }, { channel: { id: channel, mode } }) {
      const data = { ...(person && { person: shownPerson(person) }), change, ours, detail }
      yield eventEntry(store, { type: 'conversation.ownership', mode, channel, ...about(person), data })
      return { outcome: 'done' }
    },
    account: function* ({ event, detail }, { channel: { id, mode } }) {
      const data = { id, change: 'account', event, detail }
      yield eventEntry(store, { type: 'channel.updated', mode, channel: id, data })
      return { outcome: 'done' }
    },
    status: (heard, place) => settle(heard, place, null),
    outgoing: function* (heard, place) {
      // In this order: whoever is no more on its way has its ids by now.
      if (
        heard.operator &&
        !heard.unsure &&
        !(yield* whose.onItsWay(heard, place)) &&
        !(yield* whose.find(heard, place))
      )
        return yield* operators(heard, place)
      return yield* settle(heard, place, store.clock() + patienceMs)
    },
    message: function* (heard, place) {
      // Under another identity the same message has been told: nobody writes one message twice.
      if (yield* meetAgain(heard, place)) return { outcome: 'known' }
      const row = yield* rows.inbound(yield* byItsWriter(heard, place), place)
      const { channel_id, mode } = row
      yield* ids.link({ channel_id, mode }, { id: row.id, attempt: 0 }, heard.ids)
      yield* meet(heard, place)
      if (heardMessage) yield* heardMessage(row, heard, place)
      return { outcome: 'done', message: { id: row.id, status: row.state } }
    }
  }
  const handlers = { ...others, ...own } as Readonly<Record<string, HeardHandler<never> | undefined>>

  return {
    apply: function* (heard, place) {
      const handler = handlers[heard.kind]
      // Not marked: once it has an effect, what was kept can be read again.
      if (!handler) return { outcome: 'ignored' }
      let effect: Effect = { outcome: 'known' }
      const channels = toldToAll.has(heard.kind) ? place.siblings : [place.channel.id]
      for (const id of channels) {
        const channel = { ...place.channel, id }
        if (yield* isNews(heard, { ...place, channel })) effect = yield* handler(heard as never, { ...place, channel })
        else if (heard.kind === 'message') yield* meetAgain(heard, { ...place, channel })
      }
      return effect
    },

    disown: function* (bind) {
      const due = yield* all(
        build.selectFrom('parked_events').selectAll().where('due_at', '<=', store.now).orderBy('due_at').limit(100)
      )
      const seen = new Set<string>()
      for (const { channel_id, mode, identity, event } of due) {
        const parked = JSON.parse(event) as { else: HeardOutgoing; channels?: string[] }
        const siblings = parked.channels ?? [channel_id]
        // For all of its channels at once: whoever finds none of them left has met somebody who was faster.
        const taken = yield* change(
          build
            .deleteFrom('parked_events')
            .where('channel_id', 'in', siblings)
            .where('mode', '=', mode)
            .where('identity', '=', identity)
        )
        const channel = siblings.map(id => bind(id, mode)).find(each => each !== undefined)
        // A release before kept one for each channel, which do not know of one another.
        if (taken === 0 || !channel || seen.has(`${mode} ${identity}`)) continue
        seen.add(`${mode} ${identity}`)
        const place = { channel, siblings, receivedAt: store.clock() }
        // It is parked anew each time, and when it happened stays.
        const since = parked.else.at ?? 0
        // One of its ids may have become known on another channel of the number.
        if (yield* whose.find(parked.else, place)) yield* settle(parked.else, place, null)
        // Of one whose fate nobody knows the word that proves it may be hours away.
        else if (since > store.clock() - longPatienceMs && (yield* whose.onItsWay(parked.else, place, ['unknown'])))
          yield* settle(parked.else, place, store.clock() + patienceMs)
        else yield* operators(parked.else, place)
      }
      return due.length
    }
  }
}
