import { startSandbox } from '../../src/sandbox/index.ts'
import { fateOf } from './fates.ts'

// The providers of a run, as a process: node sandbox.ts <key> <where their webhooks go>.

const [apiKey, hooks] = process.argv.slice(2)

const sandbox = await startSandbox({
  apiKey,
  tempoMs: 30,
  webhookRetryMs: 50,
  scenarioOf: ({ to }) => fateOf(to),
  ...(hooks !== undefined && { defaultHook: async ({ connectionId }) => [{ url: `${hooks}/${connectionId}` }] })
})

// The one line that a parent process waits for.
process.stdout.write(`${JSON.stringify({ url: sandbox.url })}\n`)
