import { parseArgs } from 'node:util'
import { report } from './check.ts'
import type { BlowName } from './nemesis.ts'
import { measurePace, rate } from './pace.ts'
import { torture } from './torture.ts'

// npm run torture -- --rounds 200 --seed 1 --store sqlite|postgres [--broken naive [--hasty]] [--replicas 3] [--clients 8]
// --rounds kill,pause: these blows instead of drawn ones. --hasty: ends at the first double send, and looks for nothing else
// npm run torture -- --pace --store postgres --seconds 60: the rate limit of the account, by arrival times

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
    store: { type: 'string', default: 'sqlite' },
    replicas: { type: 'string' },
    clients: { type: 'string' },
    broken: { type: 'string' },
    hasty: { type: 'boolean', default: false },
    pace: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '60' }
  }
})
const say = (line: string): void => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`)

if (values.store !== 'sqlite' && values.store !== 'postgres') throw new Error('--store is sqlite or postgres')
const { store } = values
const seed = Number(values.seed)
say(`store ${store}, seed ${seed}, rounds ${values.rounds}${values.broken ? `, ${values.broken}` : ''}`)

async function attack(): Promise<number> {
  const result = await torture({
    store,
    seed,
    rounds: /^\d+$/.test(values.rounds) ? Number(values.rounds) : (values.rounds.split(',') as BlowName[]),
    hasty: values.hasty,
    broken: values.broken,
    ...(values.replicas && { replicas: Number(values.replicas) }),
    ...(values.clients && { clients: Number(values.clients) }),
    say
  })
  say(`blows: ${JSON.stringify(result.blows)} in ${result.seconds} s`)
  for (const line of report(result)) console.log(line)
  return result.violations.length
}

/** At least this share of the rate is used while messages wait, from a cold start on. */
const leastUsed = 0.97

async function measure(): Promise<number> {
  const { calls, seconds, most, used } = await measurePace({ store, seed, seconds: Number(values.seconds), say })
  console.log(`${calls} calls in ${seconds.toFixed(1)} s: at most ${most} in any second (limit ${rate})`)
  console.log(`${(used * 100).toFixed(1)} % of the rate used (at least ${leastUsed * 100} %)`)
  return (most > rate ? 1 : 0) + (used < leastUsed ? 1 : 0)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
const violations = await (values.pace ? measure() : attack())
console.log(violations === 0 ? 'PASSED' : `FAILED: ${violations} violations`)
process.exit(violations === 0 ? 0 : 1)
