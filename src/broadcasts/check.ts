import type { BroadcastCheck, BroadcastForm, BroadcastTemplate } from '../../schemas/broadcasts.ts'
import type { Channels } from '../channels/channels.ts'
import type { Preparation } from '../delivery/intake/prepare.ts'
import type { DispatchChannel } from '../dispatch/provider-client.ts'
import { type Caller, requireTemplate } from '../keys/caller.ts'
import { newTally, type Ready, type Rules, recipientsOf } from './recipients.ts'
import type { Source } from './rows.ts'

export interface RulesParts {
  channels: Channels
  preparation: Preparation
}

/** Checks every row, and keeps nothing. Throws what is wrong with all of them; faults of rows are told. */
export type BroadcastChecker = (caller: Caller, form: BroadcastForm, source: Source) => Promise<BroadcastCheck>

/** Recipients that a check shows. */
const mostShown = 10

const variablesOf = ({ content }: Ready): Record<string, string> | undefined =>
  (JSON.parse(content) as { variables?: Record<string, string> }).variables

/** What every row is held against, and what all of them together are. */
export function createRules({ channels, preparation }: RulesParts) {
  /** The template as it stands now, in the words that every message of it keeps. */
  const freeze = async (caller: Caller, form: BroadcastForm, channel: DispatchChannel) => {
    const draft = { id: '', service: caller.service, to: '', type: 'template', content: form.template } as const
    const frame = await preparation.frame(draft, channel)
    const template: BroadcastTemplate = { ...form.template, language: frame.language }
    return { frame, template }
  }
  return {
    rulesOf: async (caller: Caller, form: BroadcastForm): Promise<{ channel: DispatchChannel; rules: Rules }> => {
      const channel = await channels.resolve(caller, form.channel)
      requireTemplate(caller, form.template.name)
      return { channel, rules: { caller, ...(await freeze(caller, form, channel)) } }
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
  const { rulesOf, requireSendable } = createRules(parts)
  return async (caller, form, source) => {
    const { channel, rules } = await rulesOf(caller, form)
    const tally = newTally()
    const sample: Ready[] = []
    for await (const ready of recipientsOf(source, rules, tally)) if (sample.length < mostShown) sample.push(ready)
    if (sample[0]) requireSendable(sample[0], rules, channel)
    const { total, duplicates, skipped, faults } = tally
    return {
      channel: channel.id,
      template: rules.template,
      ...{ total, duplicates, skipped, errors: faults },
      sample: sample.map(ready => ({
        to: ready.to,
        variables: variablesOf(ready) ?? {},
        ...(ready.reference !== null && { reference: ready.reference })
      }))
    }
  }
}
