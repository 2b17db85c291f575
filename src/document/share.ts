import { type Answer, type Document, type Operation, type Parameter, pascal } from './document.ts'

// What stands in many places of the document is written once, in its components, and pointed at: answers that are problems,
// parameters, headers, and members that many schemas have.

/** A member of schemas is shared where that saves so many characters, and where it is no mere word. */
const worthwhile = { saved: 300, characters: 70 }

interface Place {
  /** What it would be called, and what else where that is taken. */
  name: string
  other?: string
  value: unknown
  put: (pointer: { $ref: string }) => void
}

/** Writes what is in several places once, under the first name that is free; the most frequent has the plain one. */
function share(section: Record<string, unknown>, kind: string, places: Place[], saved = 1): void {
  const alike = new Map<string, Place[]>()
  for (const place of places) {
    const text = `${place.name} ${JSON.stringify(place.value)}`
    const known = alike.get(text)
    if (known) known.push(place)
    else alike.set(text, [place])
  }
  const saves = (each: Place[]): number => (each.length - 1) * JSON.stringify(each[0]!.value).length
  const often = [...alike.values()].filter(each => saves(each) >= saved).sort((a, b) => b.length - a.length)
  for (const each of often) {
    const { name: plain, other = plain, value } = each[0]!
    let name = Object.hasOwn(section, plain) ? other : plain
    for (let i = 2; Object.hasOwn(section, name); i++) name = `${other}${i}`
    section[name] = value
    for (const { put } of each) put({ $ref: `#/components/${kind}/${name}` })
  }
}

const operationsOf = (document: Document): Operation[] => Object.values(document.paths).flatMap(Object.values)

function headers(document: Document): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  const answers = operationsOf(document).flatMap(({ responses }) => Object.values(responses))
  const places = answers.flatMap(({ headers: own = {} }) =>
    Object.entries(own).map(([name, value]) => ({
      name: pascal(name),
      value,
      put: (pointer: object) => {
        own[name] = pointer
      }
    }))
  )
  share(found, 'headers', places)
  return found
}

function parameters(document: Document): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  const places = operationsOf(document).flatMap(({ tags = [], parameters: own = [] }) =>
    own.map((value, i) => ({
      name: pascal(`${value.name} ${value.in}`),
      other: pascal(`${tags[0]} ${value.name} ${value.in}`),
      value,
      put: (pointer: object) => {
        own[i] = pointer as Parameter
      }
    }))
  )
  share(found, 'parameters', places)
  return found
}

const isProblem = ({ content = {} }: Answer): boolean => content['application/problem+json'] !== undefined

function answers(document: Document): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  const places = operationsOf(document).flatMap(({ tags = [], responses }) =>
    Object.entries(responses)
      .filter(([, value]) => isProblem(value))
      .map(([status, value]) => ({
        name: `Problem${status}`,
        other: pascal(`${tags[0]} problem${status}`),
        value,
        put: (pointer: object) => {
          responses[status] = pointer as Answer
        }
      }))
  )
  share(found, 'responses', places, 0)
  return found
}

/** Members that many schemas have, with all that is said of them. */
function members(document: Document): void {
  const { schemas } = document.components
  const places = Object.values(schemas).flatMap(schema => {
    const own = (schema.properties ?? {}) as Record<string, unknown>
    return Object.entries(own)
      .filter(([, value]) => JSON.stringify(value).length >= worthwhile.characters)
      .map(([name, value]) => ({
        name: pascal(name),
        other: pascal(`any ${name}`),
        value,
        put: (pointer: object) => {
          own[name] = pointer
        }
      }))
  })
  share(schemas, 'schemas', places, worthwhile.saved)
}

/** Examples of bodies, by their names. */
function examples(document: Document): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  const media = operationsOf(document).flatMap(({ requestBody }) => Object.values(requestBody?.content ?? {}))
  const places = media.flatMap(({ examples: own = {} }) =>
    Object.entries(own as Record<string, unknown>).map(([name, value]) => ({
      name: pascal(name),
      value,
      put: (pointer: object) => {
        ;(own as Record<string, unknown>)[name] = pointer
      }
    }))
  )
  share(found, 'examples', places)
  return found
}

/** Shares all of it. What a new route repeats is shared by itself. */
export function shareParts(document: Document): void {
  members(document)
  Object.assign(document.components, {
    headers: headers(document),
    parameters: parameters(document),
    responses: answers(document),
    examples: examples(document)
  })
}
