import type { BroadcastCheck, BroadcastForm, BroadcastTemplate } from '../../schemas/broadcasts.ts'
import type { SendingWindow } from '../../schemas/channel-settings.ts'
import type { Channels } from '../channels/channels.ts'
import type { Preparation } from '../delivery/intake/prepare.ts'
import type { DispatchChannel } from '../dispatch/provider-client.ts'
import { invalid } from '../errors.ts'
import { type Caller, requireTemplate } from '../keys/caller.ts'
import type { Suppressed } from '../messages/suppressed.ts'
import type { QuietHours } from '../quiet-hours/index.ts'
import { windowFaults } from '../quiet-hours/window.ts'
import type { Store } from '../store/store.ts'
import { newTally, type Ready, type Rules, recipientsOf } from './recipients.ts'
import type { Source } from './rows.ts'

export interface RulesParts {
  channels: Channels
  preparation: Preparation
  suppressed: Suppressed
  quietHours: QuietHours
  store: Pick<Store, 'clock'>
}

/** Checks every row, and keeps nothing. Throws what is wrong with all of them; faults of rows are told. */
export type BroadcastChecker = (caller: Caller, form: BroadcastForm, source: Source) => Promise<BroadcastCheck>

/** Recipients that a check shows. */
const mostShown = 10

const variablesOf = ({ content }: Ready): Record<string, string> | undefined =>
  (JSON.parse(content) as { variables?: Record<string, string> }).variables

/** What every row is held against, and what all of them together are. */
export function createRules({ channels, preparation, quietHours, store }: RulesParts) {
  /** The template as it stands now, in the words that every message of it keeps. */
  const freeze = async (caller: Caller, form: BroadcastForm, channel: DispatchChannel) => {
    const draft = { id: '', service: caller.service, to: '', type: 'template', content: form.template } as const
    const frame = await preparation.frame(draft, channel)
    const template: BroadcastTemplate = { ...form.template, language: frame.language }
    return { frame, template }
  }
  /** When it may go out: its own window, else its channel's. Frozen with the rest. */
  const windowOf = async (form: BroadcastForm, { settings }: DispatchChannel): Promise<SendingWindow | undefined> => {
    const window = form.window ?? (settings as { broadcastWindow?: SendingWindow }).broadcastWindow
    if (!window) return undefined
    for (const { member, message } of windowFaults(window)) throw invalid(`/window/${member}`, message)
    if (window.timeZone === 'recipient') await quietHours.ready()
    return window
  }
  return {
    rulesOf: async (caller: Caller, form: BroadcastForm) => {
      const channel = await channels.resolve(caller, form.channel)
      requireTemplate(caller, form.template.name)
      const window = await windowOf(form, channel)
      const begin = Math.max(store.clock(), form.startAt === undefined ? 0 : Date.parse(form.startAt))
      const opensAt = window && ((person: string) => quietHours.opensAt(window, person, begin)!)
      const rules: Rules = { caller, ...(await freeze(caller, form, channel)), ...(opensAt && { opensAt }) }
      return { channel, rules, window }
    },
    /** What the provider can say of none of them is refused before one exists. */
    requireSendable: (sample: Ready, { frame }: Rules, channel: DispatchChannel): void => {
      const content = frame.fill(variablesOf(sample))
      const sendable = { id: 'msg_', to: sample.to, type: 'template', content } as const
      preparation.encodeNow({ sendable, warnings: [] }, channel)
    }
  }
}

/** Does all that accepting does before anything is stored. */
export function createBroadcastChecker(parts: RulesParts): BroadcastChecker {
  const { suppressed } = parts
  const { rulesOf, requireSendable } = createRules(parts)
  return async (caller, form, source) => {
    const { channel, rules } = await rulesOf(caller, form)
    const tally = newTally()
    const sample: Ready[] = []
    let stopped = 0
    const of = { mode: channel.mode, channel_id: channel.id, marketing: true }
    for await (const some of recipientsOf(source, rules, tally)) {
      sample.push(...some.slice(0, mostShown - sample.length))
      const people = some.map(({ to }) => to)
      stopped += (await suppressed.amongNow(of, people)).size
    }
    if (sample[0]) requireSendable(sample[0], rules, channel)
    const { total, duplicates, skipped, faults } = tally
    return {
      channel: channel.id,
      template: rules.template,
      ...{ total, duplicates, skipped, suppressed: stopped, errors: faults },
      sample: sample.map(ready => ({
        to: ready.to,
        variables: variablesOf(ready) ?? {},
        ...(ready.reference !== null && { reference: ready.reference })
      }))
    }
  }
}
