import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { isUserId, readPerson, readPhone, readPrefix, requirePhone } from '../src/phone.ts'
import { costMs } from './cost.ts'

// How people, forms, address books and spreadsheets write numbers: what is taken, with its digits, and what is refused, with
// what its reason has to say.
const { taken, refused, userIds } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'phone-corpus.json'), 'utf8')
) as {
  taken: Record<string, string>
  refused: { why: string; forms: string[] }[]
  userIds: string[]
}

const digits = (text: string): string => text.replace(/\D/g, '')

t.test('the corpus has 300 forms and more, each once', async t => {
  const forms = [...Object.keys(taken), ...refused.flatMap(({ forms }) => forms)]
  t.ok(forms.length >= 300, `${forms.length} forms`)
  t.equal(new Set(forms).size, forms.length)
})

t.test('what is certain is taken, digit by digit', async t => {
  for (const [text, value] of Object.entries(taken)) {
    t.strictSame(readPhone(text), { value }, JSON.stringify(text))
    t.strictSame(readPerson(text), { value }, `${JSON.stringify(text)} as a person`)
  }
})

t.test('what is not certain is refused, and the reason is told', async t => {
  // One assertion: some forms hold what the report of the tests would take for its own marks.
  const wrong = refused.flatMap(({ why, forms }) =>
    forms.flatMap(text => {
      const { value, fault = `was taken as ${value}` } = readPerson(text)
      return new RegExp(why).test(fault) ? [] : [{ text, why, fault }]
    })
  )
  t.strictSame(wrong, [])
})

t.test('a user id is taken as it is, where a person is asked for, and is no telephone number', async t => {
  for (const id of userIds) {
    t.strictSame(readPerson(id), { value: id })
    t.strictSame(readPerson(` ${id}\u200b`), { value: id }, 'pasted')
    t.ok(isUserId(id))
    t.type(readPhone(id).fault, 'string', id)
  }
  for (const text of ['US.', 'us.1', 'US.ENT.', 'US.1 2', `US.${'1'.repeat(129)}`, '14155551234'])
    t.notOk(isUserId(text), text)
})

t.test('a prefix is digits behind a country code, or a country of user ids', async t => {
  const table: [string, string | RegExp][] = [
    ['1', '1'],
    ['49', '49'],
    ['+49', '49'],
    ['+1 415', '1415'],
    ['+1 (415)', '1415'],
    ['+1-415', '1415'],
    ['DE.', 'DE.'],
    [' 49 ', '49'],
    ['\u202a+49\u202c', '49'],
    ['049', /not with 0/],
    ['0049', /not with 0/],
    ['49.0', /decimal/],
    ['+44 (0)', /such as/],
    ['1 415', /must begin with \+/],
    ['de.', /letters/],
    ['DE', /letters/],
    ['DE.1', /letters/],
    ['', /empty/],
    ['+', /no digits/],
    ['1234567890123456', /15 at most/]
  ]
  for (const [text, expected] of table) {
    const { value, fault } = readPrefix(text)
    if (typeof expected === 'string') t.equal(value, expected, text)
    else t.match(fault, expected, text)
  }
})

t.test('a number that is refused is a 400 that names its field', async t => {
  t.throws(() => requirePhone('(631) 555-1234', '/to'), {
    code: 'invalid_request',
    facts: { errors: [{ path: '/to', message: /must begin with \+/ }] }
  })
})

// What separates, what joins, what is invisible, what looks like any of them, and what stands beside numbers.
const piece = fc.oneof(
  { weight: 6, arbitrary: fc.stringMatching(/^\d{1,6}$/) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('+', '(', ')', '[', ']', '-', '.', ' ', '0', '(0)', '.0', 'x', '/', ',', '\n')
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('\u202a', '\u202c', '\u200e', '\u00ad', '\u2011', '\u2212', '\u00a0', '\uff0b', '\u202e')
  },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 2 }) }
)
const written = fc.oneof(
  fc.array(piece, { maxLength: 10 }).map(pieces => pieces.join('')),
  fc.array(piece, { maxLength: 8 }).map(pieces => `+${pieces.join('')}`),
  fc
    .tuple(fc.constantFrom(...Object.keys(taken)), fc.nat(20), piece)
    .map(([form, at, more]) => form.slice(0, at) + more + form.slice(at))
)

t.test('PROPERTY: what is taken keeps all its digits in their order, and only those', async t => {
  let some = 0
  fc.assert(
    fc.property(written, text => {
      const { value, fault } = readPhone(text)
      if (value === undefined) return typeof fault === 'string' && fault !== ''
      some++
      return value === digits(text) && /^[1-9]\d{6,14}$/.test(value)
    }),
    { numRuns: 20_000 }
  )
  t.ok(some > 1000, `${some} of the texts were taken`)
})

t.test('PROPERTY: a number is never read another way once it is written in its plain form', async () => {
  fc.assert(
    fc.property(written, text => {
      const { value } = readPhone(text)
      if (value === undefined) return true
      return readPhone(value).value === value && readPhone(`+${value}`).value === value
    }),
    { numRuns: 5000 }
  )
})

t.test('PROPERTY: any text at all is read or refused, without an exception and at once', async t => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 300 }),
      text => typeof (readPerson(text).fault ?? '') === 'string'
    )
  )
  const hostile = ['(', ' ', '1 ', '+', '-.', '1x', '(0', 'US.', '\u202a', 'ext'].flatMap(unit =>
    // By way of a buffer: a text out of repeat() is put together at its first reading, which costs more than the reading.
    ['', '+1', 'US.'].map(lead => Buffer.from(lead + unit.repeat(100_000)).toString())
  )
  const all = await costMs(() => hostile.forEach(readPerson))
  const lookingBack = await costMs(() => /^\s*\+?[\d\s.()[\]-]+$/.test(`${' '.repeat(10_000)}x`))
  t.ok(
    all < lookingBack,
    `${all} ms for thirty texts; a pattern that looks back takes ${lookingBack} ms for a tenth of one`
  )
})
