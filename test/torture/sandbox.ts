import { startSandbox } from '../../src/sandbox/index.ts'

// The providers of a run, as a process: node sandbox.ts <key> <where their webhooks go>. What becomes of a message after it
// was taken follows from its recipient, so that the seed alone decides it.

const [apiKey, hooks] = process.argv.slice(2)

/** Names of scenarios; the empty one is sent, delivered and read. */
const fates = [
  ...['', 'told_at_once', 'out_of_order', '', 'told_twice', 'fails_later'],
  ...['replies_text', 'two_devices', '', 'window_closes_later', 'never_delivered', 'told_at_once', 'replies_text']
]

const sandbox = await startSandbox({
  apiKey,
  tempoMs: 30,
  webhookRetryMs: 50,
  scenarioOf: ({ to }) => fates[Number(to.slice(-6)) % fates.length],
  ...(hooks !== undefined && { defaultHook: async ({ connectionId }) => [{ url: `${hooks}/${connectionId}` }] })
})

// The one line that a parent process waits for.
process.stdout.write(`${JSON.stringify({ url: sandbox.url })}\n`)
