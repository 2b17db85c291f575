import { globSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { parse } from 'acorn'
import { simple } from 'acorn-walk'
import t from 'tap'
import { namedSchemas } from '../schemas/index.ts'
import { adapters } from '../src/adapters/index.ts'

// docs/reliability.md T46: no pattern of ours takes more than 10 ms on 50 KB, whatever they are. Every regular expression of the
// code is found by a parser and run on texts that are made to be hard for it.

const usual = 50_000
const mostMs = 10

interface Pattern {
  place: string
  pattern: RegExp
}

/** Every regular expression that stands in a TypeScript file as a literal. */
function literalsOf(file: string, text: string): Pattern[] {
  const found: Pattern[] = []
  const tree = parse(stripTypeScriptTypes(text), {
    ecmaVersion: 'latest',
    sourceType: 'module',
    locations: true,
    allowHashBang: true
  })
  simple(tree, {
    Literal: node => {
      if (!('regex' in node) || !node.regex) return
      const { pattern, flags } = node.regex
      found.push({ place: `${file}:${node.loc!.start.line}`, pattern: new RegExp(pattern, flags) })
    }
  })
  return found
}

/** Every `pattern` of a JSON schema, as its validator compiles it. */
function schemaPatterns(place: string, node: unknown): Pattern[] {
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([key, value]) =>
    key === 'pattern' && typeof value === 'string'
      ? [{ place, pattern: new RegExp(value, 'u') }]
      : schemaPatterns(`${place}/${key}`, value)
  )
}

/** Texts that are hard for a pattern: long runs of what it speaks of, with and without an end that does not fit. */
function hardFor({ source }: RegExp, length: number): string[] {
  const named = source.replace(/\\[dDwWsSbBnrtux]|[\\^$.*+?()[\]{}|]/g, '')
  const letters = [
    ...new Set([...named].slice(0, 40)),
    'a',
    'A',
    '0',
    ' ',
    '\t',
    '\n',
    '.',
    '-',
    '/',
    '"',
    "'",
    '{',
    '(',
    ',',
    '+',
    'é',
    '…'
  ]
  const words = [...source.matchAll(/[A-Za-z0-9_-]{2,}/g)].map(([word]) => word).slice(0, 6)
  const units = [
    ...new Set([...letters, ...words, 'a ', ' a', '0 ', '0-', '0.', 'a.', 'a,', '{{', '"a', '\\"', '%2', '<a', '(0)'])
  ]
  return units.flatMap(unit => {
    const run = unit.repeat(Math.ceil(length / unit.length)).slice(0, length)
    // A pattern that is at home at either end meets its worst case where neither fits.
    return [run, `${run.slice(1)}\u0000`, `!${run.slice(1)}`, `!${run.slice(2)}\u0000`, `a${run.slice(2)}a`]
  })
}

/** The least of three, so that a busy machine is not taken for a slow pattern. */
function msOf(pattern: RegExp, text: string): number {
  const once = () => {
    const { user } = process.cpuUsage()
    const since = performance.now()
    pattern.lastIndex = 0
    if (pattern.global) text.replace(pattern, '')
    else pattern.test(text)
    return Math.min(performance.now() - since, (process.cpuUsage().user - user) / 1000 + 1)
  }
  let least = once()
  for (let i = 0; i < 4 && least > mostMs && least < 20 * mostMs; i++) least = Math.min(least, once())
  return least
}

const slowOf = ({ place, pattern }: Pattern, size = usual): string[] => {
  for (const text of hardFor(pattern, size)) {
    const ms = msOf(pattern, text)
    if (ms > mostMs) return [`${place} ${pattern}: ${Math.round(ms)} ms on ${JSON.stringify(text.slice(0, 6))}…`]
  }
  return []
}

const files = globSync(['src/**/*.ts', 'routes/**/*.ts', 'schemas/**/*.ts'], {
  cwd: new URL('..', import.meta.url).pathname
})
const literals = files.flatMap(file => literalsOf(file, readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')))
const ofSchemas = [
  ...namedSchemas.flatMap(schema => schemaPatterns(String(schema.$id), schema)),
  ...[...adapters.values()].flatMap(({ provider, settings }) => schemaPatterns(provider, settings))
]

t.test('every pattern of the code and of the schemas is quick on its worst case', async t => {
  t.ok(literals.length > 150, `${literals.length} literals`)
  t.ok(ofSchemas.length > 10, `${ofSchemas.length} in schemas`)
  const each = new Map([...literals, ...ofSchemas].map(one => [String(one.pattern), one]))
  t.strictSame(
    [...each.values()].flatMap(one => slowOf(one)),
    []
  )
})

t.test('POSITIVE CONTROL: a slow one is found', async t => {
  // On a fifth of the length it takes a twenty-fifth of the time, and is found all the same.
  for (const pattern of [/\s+$/, /^[. ]+|[. ]+$/g])
    t.equal(slowOf({ place: 'here', pattern }, usual / 5).length, 1, String(pattern))
})
