import { globSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { parse } from 'acorn'
import { ancestor } from 'acorn-walk'
import t from 'tap'

// docs/decisions/0103: what every message passes is written by generator functions that are made once and given their values.

/** The lines of generator functions that are made for each use: those without parameters, and those inside what a maker has made. */
function capturing(text: string): number[] {
  const lines: number[] = []
  const tree = parse(stripTypeScriptTypes(text), { ecmaVersion: 'latest', sourceType: 'module', locations: true })
  ancestor(tree, {
    Function: (node, _, around) => {
      const deep = around.filter(({ type }) => /Function/.test(type)).length - 1
      const bare = node.params.length === 0 && node.type === 'FunctionExpression'
      if (node.generator && (bare || deep > 1)) lines.push(node.loc!.start.line)
    }
  })
  return lines
}

/** Rooms and files that run for each message, webhook or event. */
const hot = [
  ...globSync('src/delivery/intake/{accept,idempotency,making,submit,waits}.ts'),
  ...globSync('src/delivery/sending/{attempt,order,outcome,results,strategies}.ts'),
  ...globSync('src/delivery/scheduling/{decisions,rate-limiter,scheduler}.ts'),
  ...globSync('src/inbound/{door,effects,reader,rows}.ts'),
  ...globSync('src/messages/{provider-ids,provider-status,suppressed}.ts'),
  ...globSync('src/subscriptions/{deliver,follow,record}.ts')
]

t.test('the units of a message, a webhook and an event are generator functions that last', async t => {
  t.equal(hot.length, 23)
  for (const file of hot) t.strictSame(capturing(readFileSync(file, 'utf8')), [], file)
})

t.test('CONTROL: one that is made for each use is found', async t => {
  t.strictSame(capturing('const send = (row) => store.write(function* () {\n yield insert(row)\n})'), [1])
  t.strictSame(
    capturing(
      'const create = store => {\n const send = row => {\n function* keep() { yield row }\n store.write(keep) }}'
    ),
    [3]
  )
  t.strictSame(capturing('function* keep(row) { yield insert(row) }\nconst send = row => write(() => keep(row))'), [])
})
