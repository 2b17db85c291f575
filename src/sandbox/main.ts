import { parseArgs } from 'node:util'
import { startSandbox } from './index.ts'

const { values } = parseArgs({
  options: {
    host: { type: 'string' },
    port: { type: 'string', default: '0' },
    rate: { type: 'string', default: '0' },
    latency: { type: 'string', default: '0' },
    key: { type: 'string' },
    'no-ledger': { type: 'boolean', default: false }
  }
})

const sandbox = await startSandbox({
  host: values.host,
  port: Number(values.port),
  ratePerSecond: Number(values.rate),
  latencyMs: Number(values.latency),
  apiKey: values.key,
  ledger: !values['no-ledger']
})

// the one line that a parent process waits for
process.stdout.write(`${JSON.stringify({ url: sandbox.url })}\n`)

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    sandbox.close().then(() => process.exit(0))
  })
}
