import { hex, wamid } from '../ids.ts'
import { type Failure, type Happening, somebody, type Taken, type Words } from './happening.ts'

/** One step of what follows a send: how long after the one before it, and what it is. */
interface Step {
  /** In units of the sandbox's tempo. */
  after: number
  happening: Happening
}

/** A recipient whose messages meet a certain fate after they were accepted. */
export interface Scenario {
  number: string
  name: string
  description: string
  steps: (taken: Taken) => Step[]
  /** For how long the send's own answer is held back, in milliseconds. */
  answerAfterMs?: number
}

const step = (after: number, happening: Happening): Step => ({ after, happening })
const status = (kind: 'sent' | 'delivered' | 'read', taken: Taken, after = 2): Step => step(after, { kind, taken })

const sent = (taken: Taken) => [status('sent', taken)]
const delivered = (taken: Taken) => [...sent(taken), status('delivered', taken, 3)]
const read = (taken: Taken) => [...delivered(taken), status('read', taken, 5)]

const undeliverable: Failure = { code: 131026, title: 'Message undeliverable', details: 'Message Undeliverable.' }
const windowClosed: Failure = {
  code: 131047,
  title: 'Re-engagement message',
  details:
    'Message failed to send because more than 24 hours have passed since the customer last replied to this number.'
}
const failed = (taken: Taken, failure: Failure, after = 2): Step => step(after, { kind: 'failed', taken, failure })

function wrote(taken: Taken, words: Words, { to = taken.to, answers = true, after = 4, id = wamid(to) } = {}): Step {
  return step(after, { kind: 'wrote', taken, who: somebody(to), wamid: id, id: hex(), words, answers })
}

const reply =
  (words: (taken: Taken) => Words, more?: { answers: boolean }) =>
  (taken: Taken): Step[] => [...read(taken), wrote(taken, words(taken), more)]

/** The first button or row; a template without one is answered in words. */
const pressed = (taken: Taken): Words => {
  const first = taken.choices[0]
  if (first === undefined) return { type: 'text', text: 'There is no button to press.' }
  const { title, id } = first
  return { type: 'button', title, ...(id !== undefined && { id }), ofTemplate: taken.type === 'template' }
}
const picked = (taken: Taken): Words => {
  const first = taken.choices[0]
  return first === undefined ? { type: 'text', text: 'There is no row to pick.' } : { type: 'list', ...first }
}

/** Every scenario, and the number that always plays it. */
export const scenarios: readonly Scenario[] = [
  { number: '15550100101', name: 'never_delivered', description: 'sent, and never delivered', steps: sent },
  {
    number: '15550100102',
    name: 'fails_later',
    description: 'accepted, then failed: undeliverable (131026)',
    steps: taken => [failed(taken, undeliverable)]
  },
  {
    number: '15550100103',
    name: 'window_closes_later',
    description: 'accepted, then failed: the 24-hour window is closed (131047); templates arrive',
    steps: taken => (taken.type === 'template' ? read(taken) : [failed(taken, windowClosed)])
  },
  { number: '15550100104', name: 'never_read', description: 'delivered, and never read', steps: delivered },
  {
    number: '15550100105',
    name: 'out_of_order',
    description: 'read, then sent, then delivered: the order is lost on the way',
    steps: taken => [status('read', taken), status('sent', taken), status('delivered', taken)]
  },
  {
    number: '15550100106',
    name: 'told_twice',
    description: 'each status comes three times',
    steps: taken => read(taken).flatMap(each => [each, { ...each, after: 0 }, { ...each, after: 1 }])
  },
  {
    number: '15550100107',
    name: 'two_devices',
    description: 'failed on one device, then delivered to the other',
    steps: taken => [...sent(taken), failed(taken, undeliverable), status('delivered', taken)]
  },
  {
    number: '15550100108',
    name: 'told_at_once',
    description: 'every status comes before the send is answered, which takes a moment more',
    answerAfterMs: 300,
    steps: taken => read(taken).map(each => ({ ...each, after: 0 }))
  },
  {
    number: '15550100111',
    name: 'replies_text',
    description: 'reads it and replies with a text',
    steps: reply(() => ({ type: 'text', text: 'Thanks, got it.' }))
  },
  {
    number: '15550100112',
    name: 'replies_button',
    description: 'presses the first button',
    steps: reply(pressed)
  },
  { number: '15550100113', name: 'replies_list', description: 'picks the first row of the list', steps: reply(picked) },
  {
    number: '15550100114',
    name: 'replies_image',
    description: 'replies with a picture',
    steps: reply(() => ({ type: 'image', caption: 'Here it is' }))
  },
  {
    number: '15550100115',
    name: 'replies_voice',
    description: 'replies with a voice note',
    steps: reply(() => ({ type: 'voice' }))
  },
  {
    number: '15550100116',
    name: 'replies_flow',
    description: 'fills in a Flow',
    steps: reply(() => ({ type: 'flow', data: { flow_token: 'sandbox', size: 'L', pickup: true } }))
  },
  {
    number: '15550100117',
    name: 'says_stop',
    description: 'writes STOP',
    steps: reply(() => ({ type: 'text', text: 'STOP' }), { answers: false })
  },
  {
    number: '15550100118',
    name: 'changes_number',
    description: 'reads it, changes the number to 15550100218, and writes from there',
    steps: taken => [
      ...read(taken),
      step(3, { kind: 'moved', taken, who: somebody(taken.to), newPhone: '15550100218', wamid: wamid(taken.to) }),
      wrote(taken, { type: 'text', text: 'This is my new number.' }, { to: '15550100218', answers: false })
    ]
  },
  {
    number: '15550100119',
    name: 'hides_number',
    description: 'replies as a person without a shared number: only a user id is told',
    steps: taken => [
      ...read(taken),
      wrote(taken, { type: 'text', text: 'My number is my secret.' }, { to: somebody(taken.to).userId })
    ]
  },
  {
    number: '15550100120',
    name: 'reacts',
    description: 'reacts to it with a thumb',
    steps: reply(() => ({ type: 'reaction', emoji: '👍' }))
  },
  {
    number: '15550100121',
    name: 'edits_and_deletes',
    description: 'replies, edits the reply, and deletes it',
    steps: taken => {
      const id = wamid(taken.to)
      return [
        ...read(taken),
        wrote(taken, { type: 'text', text: 'I come at 5.' }, { id }),
        wrote(taken, { type: 'edit', of: id, text: 'I come at 6.' }, { answers: false }),
        wrote(taken, { type: 'revoke', of: id }, { answers: false })
      ]
    }
  }
]

const byNumber = new Map(scenarios.map(each => [each.number, each]))

const byName = new Map(scenarios.map(each => [each.name, each]))

/** The name of the scenario that a message meets; undefined: it is sent, delivered and read. */
export type ScenarioOf = (taken: Taken) => string | undefined

/** What every recipient meets where nobody says otherwise: the one of its number. */
export const scenarioOfNumber: ScenarioOf = ({ to }) => byNumber.get(to)?.name

/** What follows a message, and for how long its answer is held back. */
export function fateOf(taken: Taken, scenarioOf: ScenarioOf): { steps: Step[]; answerAfterMs: number } {
  const scenario = byName.get(scenarioOf(taken) ?? '')
  return { steps: (scenario?.steps ?? read)(taken), answerAfterMs: scenario?.answerAfterMs ?? 0 }
}
