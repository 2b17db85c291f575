import { Ajv } from 'ajv'
import t from 'tap'
import { holdsTooMuch } from '../../src/http/bodies.ts'
import { lengthsFirst } from '../../src/http/lengths-first.ts'

// docs/reliability.md P49: no request costs more than its size. Every route with its costliest bodies: costly-bodies.long.test.ts.

t.test(
  'lengths come before what is in them; POSITIVE CONTROL: otherwise a validator goes through all of it',
  async t => {
    const schema = { type: 'array', maxItems: 10, items: { type: 'object', required: ['a', 'b'] } }
    const long = Array.from({ length: 10_000 }, () => ({}))
    const count = (rules: object) => {
      const check = new Ajv({ allErrors: true }).compile(rules)
      check(long)
      return check.errors!.length
    }
    t.equal(count(lengthsFirst(schema as never)), 1)
    t.equal(count(schema), 20_001)
    const same = new Ajv({ allErrors: true }).compile(lengthsFirst(schema as never))
    t.notOk(same([{}]), 'what is short enough is looked at')
    t.ok(same([{ a: 1, b: 2 }]))
  }
)

t.test('a body of more objects and lists than any request has is not parsed', async t => {
  const of = (text: string) => holdsTooMuch(Buffer.from(text))
  t.ok(of(`[${'{},'.repeat(100_000)}{}]`))
  t.notOk(of(`[${'{},'.repeat(90_000)}{}]`))
  t.notOk(of(JSON.stringify(['{['.repeat(200_000), '"\\{['.repeat(200_000)])), 'what stands in texts does not count')
})
