import t from 'tap'
import type { AnyAdapter, Call } from '../../src/adapters/adapter.ts'
import { wati } from '../../src/adapters/wati/index.ts'
import { type Example, faultsOf } from './adapter.ts'
import { id, to } from './examples.ts'
import { failures } from './failures.ts'
import { apiKey } from './rig.ts'

// The suite has to find what it is there to find: adapters that are broken on purpose.

const sound: AnyAdapter = wati
const { sendMessage } = sound.operations
const input = sound.encoders.text!.encode(
  { id, to, type: 'text', content: { body: 'Hello' } },
  { id: 'main', provider: 'wati', mode: 'live', settings: {} }
)
const example = (adapter: AnyAdapter): Example => ({
  adapter,
  settings: {},
  paths: {},
  words: {
    success: { ok: true, message: { id: 'a' } },
    withoutId: { body: {}, accepted: false },
    refusal: info => ({ status: 400, body: { result: false, info }, code: 'message_rejected' }),
    throttle: { status: 429 },
    throttled: { throttles: 'account' },
    credential: { status: 401 }
  }
})
const faults = (adapter: AnyAdapter, name: string): Promise<string[]> =>
  faultsOf(example(adapter), 'sendMessage', input, failures.find(failure => failure.name === name)!)

const again: AnyAdapter = {
  ...sound,
  operations: {
    ...sound.operations,
    sendMessage: (channel, message, call) =>
      sendMessage(channel, message, call).catch(() => sendMessage(channel, message, call))
  }
}
const believing: AnyAdapter = {
  ...sound,
  operations: {
    ...sound.operations,
    sendMessage: async (_channel, { request }, call: Call) => {
      await call.request(request).catch(() => {})
      return { providerMessageId: 'made-up', warnings: [] }
    }
  }
}
const hoping: AnyAdapter = {
  ...sound,
  classify: () => ({
    code: 'provider_unavailable',
    outcome: 'not_sent',
    later: true,
    detail: 'Try again.',
    provider: { name: 'wati', status: null }
  })
}
const talking: AnyAdapter = {
  ...sound,
  classify: ({ headers }) => ({
    code: 'message_rejected',
    outcome: 'not_sent',
    later: false,
    detail: JSON.stringify(headers),
    provider: { name: 'wati', status: null }
  })
}

t.test('the sound adapter has no fault', async t => {
  t.strictSame(await faults(sound, 'a reset before the answer'), [])
  t.strictSame(await faults(sound, '500 without a body'), [])
})

t.test('a hidden retry is found', async t => {
  t.match(await faults(again, 'a reset before the answer'), ['2 requests reached the server'])
  t.match(await faults(again, '200 with a page'), ['2 requests reached the server'])
})

t.test('a failure that is taken for a success is found', async t => {
  t.match(await faults(believing, '500 without a body'), ['was no failure'])
  t.match(await faults(believing, 'silence until the deadline'), ['was no failure'])
})

t.test('a send that is called repeatable although it was started is found', async t => {
  const found = await faults(hoping, 'a reset before the answer')
  t.ok(found.includes('later although the request was started and never answered'), { found })
})

t.test('a secret in what is thrown is found', async t => {
  const found = await faultsOf(example(talking), 'sendMessage', input, {
    name: 'a server that sends our key back in a header',
    play: () => ({ status: 400, headers: { 'x-echo': apiKey } }),
    onWrite: () => ({ code: 'message_rejected', outcome: 'not_sent', later: false }),
    onRead: () => ({ code: 'message_rejected', outcome: 'not_sent', later: false })
  })
  t.match(found, [/is in what was thrown or logged/])
})
