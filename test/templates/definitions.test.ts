import t from 'tap'
import type { TemplateDefinition } from '../../src/adapters/adapter.ts'
import type { DispatchChannel, ProviderClient } from '../../src/dispatch/provider-client.ts'
import { createDefinitions } from '../../src/templates/definitions.ts'

const channel: DispatchChannel = { id: 'c', provider: 'p', mode: 'live', settings: {}, connectionId: 'x' }
const template = (name: string, status: string): TemplateDefinition => ({
  channel: 'c',
  name,
  language: 'en',
  category: 'utility',
  status,
  body: { text: 'Hi' },
  variables: [],
  parameterFormat: 'positional'
})

/** A provider whose answers are given by hand, in the order of the questions. */
function provider() {
  const waiting: ((items: TemplateDefinition[]) => void)[] = []
  let calls = 0
  const call = async () => {
    calls++
    const items = await new Promise<TemplateDefinition[]>(resolve => waiting.push(resolve))
    return { output: { items, nextCursor: null }, record: { started: true, ms: 0 } }
  }
  return {
    definitions: createDefinitions({ call } as unknown as ProviderClient),
    answer: (...items: TemplateDefinition[]) => waiting.shift()!(items),
    calls: () => calls
  }
}

t.test('a definition is believed, unless it is asked for anew', async t => {
  const { definitions, answer, calls } = provider()
  const first = definitions.find(channel, 'a')
  answer(template('a', 'pending'))
  t.match(await first, { items: [{ status: 'pending' }], remembered: false })
  t.match(await definitions.find(channel, 'a'), { items: [{ status: 'pending' }], remembered: true })
  t.equal(calls(), 1)
  const anew = definitions.ask(channel, 'a')
  answer(template('a', 'approved'))
  t.match(await anew, [{ status: 'approved' }])
  t.match(await definitions.find(channel, 'a'), { items: [{ status: 'approved' }] }, 'and then that is believed')
  t.equal(calls(), 2)
})

t.test('what was asked before a change is not believed after it', async t => {
  const { definitions, answer, calls } = provider()
  const before = definitions.find(channel, 'a')
  definitions.forget('a')
  const after = definitions.find(channel, 'a')
  t.equal(calls(), 2, 'a question of before does not answer one of after')
  answer(template('a', 'approved'))
  t.match(await before, { items: [{ status: 'approved' }] }, 'who asked before has what was true then')
  answer()
  t.strictSame(await after, { items: [], remembered: false })
  t.strictSame(await definitions.find(channel, 'a'), { items: [], remembered: true }, 'and the later answer stays')
  t.equal(calls(), 2)
})

t.test('only the name that changed is forgotten', async t => {
  const { definitions, answer, calls } = provider()
  const found = definitions.find(channel, 'a')
  answer(template('a', 'approved'), template('b', 'approved'))
  await found
  definitions.forget('b')
  t.match(await definitions.find(channel, 'a'), { items: [{ name: 'a' }] })
  t.equal(calls(), 1)
  definitions.forget('a')
  const again = definitions.find(channel, 'a')
  answer()
  t.match(await again, { items: [], remembered: false })
})

t.test(
  'what is doubted is asked for again, but a caller in error does not use up the account’s calls with it',
  async t => {
    const { definitions, answer, calls } = provider()
    const known = definitions.find(channel, 'a')
    answer(template('a', 'pending'))
    await known
    let again = 0
    for (let i = 0; i < 50; i++) {
      if (!definitions.doubt(channel, 'a')) continue
      again++
      const found = definitions.find(channel, 'a')
      answer(template('a', 'pending'))
      t.equal((await found).remembered, false)
    }
    t.equal(again, 10)
    t.equal(calls(), 11)
    t.ok(definitions.doubt(channel, 'b'), 'another name has its own')
  }
)
