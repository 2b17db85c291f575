import { parseArgs } from 'node:util'
import { restarts } from '../test/life/restarts.ts'

// Restarts under load (docs/reliability.md P25). By hand: npm run bench:restarts -- --restarts 100

const { values } = parseArgs({
  options: {
    restarts: { type: 'string', default: '100' },
    rate: { type: 'string', default: '50' },
    up: { type: 'string', default: '1500' }
  }
})
const ends: (() => unknown)[] = []
try {
  const figures = await restarts(
    { teardown: end => void ends.unshift(end) },
    { count: Number(values.restarts), perSecond: Number(values.rate), upMs: Number(values.up), tell: console.log }
  )
  console.log(figures)
  const { failed, lost, unknown, twice, exits } = figures
  if (Object.keys(failed).length + lost.length + unknown.length + twice.length + exits.length > 0) process.exitCode = 1
} finally {
  for (const end of ends) await end()
}
