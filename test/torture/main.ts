import { parseArgs } from 'node:util'
import { report } from './check.ts'
import { torture } from './torture.ts'

// npm run torture -- --rounds 200 --seed 1 --store sqlite|postgres [--broken naive] [--replicas 3] [--pace]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
    store: { type: 'string', default: 'sqlite' },
    replicas: { type: 'string' },
    clients: { type: 'string' },
    broken: { type: 'string' },
    pace: { type: 'boolean', default: false }
  }
})
const say = (line: string): void => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`)

if (values.store !== 'sqlite' && values.store !== 'postgres') throw new Error('--store is sqlite or postgres')
say(`store ${values.store}, seed ${values.seed}, rounds ${values.rounds}${values.broken ? `, ${values.broken}` : ''}`)
const result = await torture({
  store: values.store,
  seed: Number(values.seed),
  rounds: Number(values.rounds),
  broken: values.broken,
  ...(values.replicas && { replicas: Number(values.replicas) }),
  ...(values.clients && { clients: Number(values.clients) }),
  say
})
say(`blows: ${JSON.stringify(result.blows)} in ${result.seconds} s`)
for (const line of report(result)) console.log(line)
console.log(result.violations.length === 0 ? 'PASSED' : `FAILED: ${result.violations.length} violations`)
process.exit(result.violations.length === 0 ? 0 : 1)
