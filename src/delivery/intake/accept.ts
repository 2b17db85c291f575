import type { SendMessage } from '../../../schemas/messages.ts'
import type { Channels } from '../../channels/channels.ts'
import type { OptionsCheck } from '../../channels/provider-options.ts'
import type { DispatchChannel } from '../../dispatch/provider-client.ts'
import { invalid, ServiceError } from '../../errors.ts'
import { type Caller, requireChannel, requireRecipient, requireScope, requireTemplate } from '../../keys/caller.ts'
import { keepOptions, newRow, optionsOf, toDraft } from '../../messages/row.ts'
import { type Concern, concernOf } from '../../messages/suppressed.ts'
import { requirePerson } from '../../phone.ts'
import { requestTrace } from '../../request-trace.ts'
import type { MessageRow } from '../../store/schema.ts'
import type { BacklogLimit } from './backlog-limit.ts'
import type { Preparation, Prepared } from './prepare.ts'
import { checkRules } from './rules.ts'

/** A request that may become a message: its row, not stored yet, and what would be sent through which channel. */
export interface AcceptedRequest {
  row: MessageRow
  channel: DispatchChannel
  prepared: Prepared
  /** What a suppression is held against; a fallback that advertises makes the whole of it advertise. */
  concern: Concern
}

/** All that happens to a request before its row exists. Throws the ServiceError that answers it; nothing is kept then. */
export type Accept = (caller: Caller, body: SendMessage, traceparent?: string) => Promise<AcceptedRequest>

/** Refusals that are about the channel and not about the message: another one may be able to. */
const passable = new Set(['unsupported', 'template_not_found'])

export interface AcceptParts {
  channels: Channels
  preparation: Preparation
  /** Whether one more may wait; none where nothing comes of the request. */
  backlogLimit?: BacklogLimit
  /** Throws the 400 for what no provider knows. */
  checkOptions: OptionsCheck
  /** The store's clock. */
  clock: () => number
  /** Answers are to leave the content out. */
  unseen?: boolean
}

/** Throws the 403 for whatever a request names that the key does not allow; the channel that it leaves out is not known here. */
export function requireRights(caller: Caller, body: SendMessage): void {
  for (const id of [body.channel ?? []].flat()) requireChannel(caller, id)
  requireRecipient(caller, requirePerson(body.to, '/to'))
  if (body.type === 'template') requireTemplate(caller, body.template.name)
  if (body.fallback) requireTemplate(caller, body.fallback.template.name)
  if (body.ignoreSuppression) requireScope(caller, 'suppressions:ignore')
}

const together = (own: Concern, fallback: Concern | undefined): Concern =>
  fallback === undefined
    ? own
    : { marketing: own.marketing || fallback.marketing, exempt: own.exempt && fallback.exempt }

export function createAccept(parts: AcceptParts): Accept {
  const { channels, preparation, checkOptions, backlogLimit, clock, unseen = false } = parts
  /** A fallback that could not be sent is told before the message is, not when it is too late. */
  const checkFallback = async (
    row: MessageRow,
    body: SendMessage,
    channel: DispatchChannel
  ): Promise<Concern | undefined> => {
    if (!body.fallback) return undefined
    const { replyTo: _, ...draft } = toDraft(row, body)
    try {
      const content = body.fallback.template
      const prepared = await preparation.prepare({ ...draft, type: 'template', content }, channel)
      return concernOf(row, prepared.sendable)
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      const errors = error.facts.errors?.map(fault => ({ ...fault, path: `/fallback${fault.path}` }))
      throw new ServiceError(error.code, `The fallback: ${error.message}`, {
        ...error.facts,
        ...(errors && { errors })
      })
    }
  }

  return async (caller, body, traceparent) => {
    checkRules(body, clock())
    checkOptions(body.providerOptions)
    const to = requirePerson(body.to, '/to')
    const wanted = Array.isArray(body.channel) ? body.channel : [body.channel]
    const candidates: DispatchChannel[] = []
    for (const id of wanted) candidates.push(await channels.resolve(caller, id))
    requireRights(caller, body)
    await backlogLimit?.(caller.service, caller.mode, 1)

    let refused: ServiceError | undefined
    const passed: string[] = []
    for (const [i, channel] of candidates.entries()) {
      const rest = candidates.slice(i + 1).map(candidate => candidate.id)
      const made = newRow(clock(), caller, body, channel, to, traceparent, rest, requestTrace.getStore()?.requestId)
      const row = unseen ? { ...made, options: keepOptions({ ...optionsOf(made), unseen }) } : made
      try {
        const prepared = await preparation.prepare(toDraft(row, body), channel, caller)
        // With others to turn to, what the encoder refuses has to be known here.
        if (rest.length > 0 && !prepared.file) preparation.encodeNow(prepared, channel)
        const concern = together(concernOf(row, prepared.sendable), await checkFallback(row, body, channel))
        if (body.ignoreSuppression && !concern.exempt)
          throw invalid('/ignoreSuppression', 'is for one-time codes alone: a template of the category authentication')
        return { row, channel, prepared: { ...prepared, warnings: [...passed, ...prepared.warnings] }, concern }
      } catch (error) {
        if (rest.length === 0 || !(error instanceof ServiceError) || !passable.has(error.code)) throw refused ?? error
        refused ??= error
        passed.push(`Channel ${channel.id} was passed over: ${error.message}`)
      }
    }
    throw refused!
  }
}
