import { join } from 'node:path'
import { startPostgres } from '../test/store/postgres.ts'
import {
  atMost,
  heap,
  inDirectory,
  median,
  option,
  postgresSettings,
  type Started,
  serverSettings,
  start,
  startUpstream,
  writeChannels
} from './children.ts'
import { describe, type Figures, load, type Target, throughServer } from './load.ts'

// What a message costs one process of ours on a PostgreSQL, and what it costs two of them on another of the same kind: our own
// processor time, 32 connections in all, in turn within one run. `npm run bench:processes -- --rounds 5 --seconds 5 --warm 5000`
const rounds = option('rounds', 5)
const seconds = option('seconds', 5)
const warm = option('warm', 5000)
const connections = 32
const most = 1.15
const ends: (() => unknown)[] = []

/** One load for several processes: each has its share of the connections. */
async function share(targets: Target[]): Promise<Figures> {
  const all = await Promise.all(targets.map(each => load(each, { connections: connections / targets.length, seconds })))
  const sum = (of: (each: Figures) => number) => all.reduce((total, each) => total + of(each), 0)
  const answers = sum(each => each.answers)
  return {
    perSecond: sum(each => each.perSecond),
    p50: median(all.map(each => each.p50)),
    p99: Math.max(...all.map(each => each.p99)),
    failed: sum(each => each.failed),
    cpu: sum(each => each.cpu * each.answers) / answers,
    answers
  }
}

try {
  await inDirectory(async directory => {
    const cluster = await startPostgres({ teardown: end => void ends.unshift(end) })
    const upstream = await startUpstream()
    const channelsFile = writeChannels(directory)
    const server = (database: string, name: string): Promise<Started> => {
      const env = serverSettings(upstream.url, channelsFile, join(directory, name))
      return start('src/server.ts', [], { ...env, ...postgresSettings(cluster.url(database)) }, heap)
    }
    const [alone, together] = [await cluster.database(), await cluster.database()]
    const one = [throughServer(await server(alone, 'one'))]
    const two = [throughServer(await server(together, 'first')), throughServer(await server(together, 'second'))]

    // Until most of it is compiled, in each of the processes.
    for (const each of [...one, ...two]) await load(each, { amount: warm })
    const ratios: number[] = []
    for (let round = 1; round <= rounds; round++) {
      const a = await share(one)
      const b = await share(two)
      ratios.push(b.cpu / a.cpu)
      console.log(
        `round ${round}: one ${describe(a)} | two ${describe(b)} | processor time x${ratios.at(-1)!.toFixed(2)}, rate x${(b.perSecond / a.perSecond).toFixed(2)}`
      )
    }
    const ratio = median(ratios)
    console.log(`median of ${rounds}: processor time x${ratio.toFixed(2)} ${atMost(ratio, most)}`)
  })
} finally {
  for (const end of ends) await end()
}
