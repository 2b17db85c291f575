import type { Key } from '../../schemas/keys.ts'
import type { Api, Call } from './api.ts'

/** One request of a signed-in operator, as views and acts get it. */
export interface Visit {
  api: Api
  key: Key
  /** Whether it may do anything but look. */
  admin: boolean
  /** The names of the providers that there are. */
  providers: readonly string[]
  params: Record<string, string>
  /** Of the address, or of the form that was sent. */
  fields: Record<string, string>
  now: number
}

/** A page that shows something. Its address with its query can be kept and handed on. */
export interface View {
  /** Under /console. */
  path: string
  /** The file in templates/. */
  template: string
  title: string
  /** Seconds between two looks by itself; absent: it is not live. */
  everySeconds?: number
  show: (visit: Visit) => Promise<Record<string, unknown>>
}

/** A field of a form. */
export interface Field {
  name: string
  label: string
  type: 'text' | 'textarea' | 'number' | 'select' | 'checkbox'
  hint?: string
  value?: string
  required?: boolean
  options?: readonly (readonly [value: string, label: string])[]
}

/** What an operator is told before it is done. */
export interface Question {
  /** What it means, one sentence each; the first names how many messages it concerns, where it concerns any. */
  sentences: string[]
  fields?: Field[]
}

/** Something that can be done: first it is asked for with what it means, then it is one request of the API. */
export interface Act {
  /** Under /console; GET asks, POST does it. */
  path: string
  title: string
  button: string
  /** It cannot be taken back, or stops something. */
  danger?: true
  ask: (visit: Visit) => Promise<Question> | Question
  /** The request that does it, with the fields as they stand: it is shown as well. */
  call: (visit: Visit) => Call
  /** Where it leads. */
  next: (visit: Visit, answer: unknown) => string
  /** What is said there. */
  done: string
  /** A secret in the answer that is shown this once, in place of leading anywhere. */
  secret?: (answer: unknown) => string
}
