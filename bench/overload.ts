import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import autocannon from 'autocannon'
import { request } from 'undici'
import { adminKey, children, memory, startServer } from './children.ts'

// POST /messages at several times what the server can do (docs/reliability.md P23): calls are begun by the clock, whether or not
// those before have ended, as many callers do. By hand: npm run bench:overload -- --times 5 --seconds 20

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '20' },
    /** Calls a second that the server can do; none: measured first. */
    capacity: { type: 'string' },
    /** How many calls may be open at once: what the callers' pools and the proxy let through. */
    sockets: { type: 'string', default: '1000' }
  }
})
const directory = mkdtempSync(join(tmpdir(), 'switchboard-overload-'))
const percentile = (list: number[], share: number): string =>
  list.length === 0
    ? '–'
    : list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))]!.toFixed(0)

try {
  const board = await startServer(directory)
  interface Tally {
    accepted: number[]
    refused: number[]
    others: Record<string, number>
    perSecond: number
  }
  const load = async (options: Partial<autocannon.Options>): Promise<Tally> => {
    const into: Tally = { accepted: [], refused: [], others: {}, perSecond: 0 }
    const result = await new Promise<autocannon.Result>((resolve, reject) => {
      const run = autocannon(
        {
          url: `${board.url}/messages`,
          method: 'POST',
          // Not the provider's time: a caller who waits for it waits for the slowest of all.
          headers: {
            authorization: `Bearer ${adminKey}`,
            'content-type': 'application/json',
            prefer: 'respond-async'
          },
          body: JSON.stringify({ channel: 'bench', to: '14155551234', type: 'text', text: { body: 'Hello' } }),
          timeout: 60,
          ...options
        } as autocannon.Options,
        (error, done) => (error ? reject(error) : resolve(done))
      )
      run.on('response', (_client, status, _, ms) => {
        if (status < 300) into.accepted.push(ms)
        else if (status === 503) into.refused.push(ms)
        else into.others[status] = (into.others[status] ?? 0) + 1
      })
    })
    if (result.errors > 0) into.others.errors = result.errors
    into.perSecond = into.accepted.length / result.duration
    return into
  }
  await load({ connections: 32, duration: 2 })
  const measured = (await load({ connections: 32, duration: 4 })).perSecond
  const capacity = Number(values.capacity ?? measured)
  const perSecond = capacity * Number(values.times)
  const probes: number[] = []
  const faults: string[] = []
  const watch = setInterval(async () => {
    for (const path of ['/livez', '/readyz', '/metrics']) {
      const begun = performance.now()
      const answer = await request(board.url + path).catch(error => ({ statusCode: error.code, body: undefined }))
      await answer.body?.dump()
      probes.push(performance.now() - begun)
      if (answer.statusCode !== 200) faults.push(`${path} ${answer.statusCode}`)
    }
  }, 250)
  const seconds = Number(values.seconds)
  // What comes before it has seen that it is too much is not what is asked about.
  await load({ connections: Number(values.sockets), overallRate: perSecond, duration: 3 })
  const result = await load({ connections: Number(values.sockets), overallRate: perSecond, duration: seconds })
  clearInterval(watch)
  const { accepted, refused, others } = result
  console.log(`capacity ${measured.toFixed(0)}/s with 32 callers; ${perSecond.toFixed(0)}/s asked for ${seconds} s`)
  console.log(
    `accepted ${(accepted.length / seconds).toFixed(0)}/s, p50 ${percentile(accepted, 0.5)} p99 ${percentile(accepted, 0.99)} max ${percentile(accepted, 1)} ms`
  )
  console.log(
    `refused ${(refused.length / seconds).toFixed(0)}/s with 503, p50 ${percentile(refused, 0.5)} p99 ${percentile(refused, 0.99)} ms`
  )
  console.log('others', others)
  // How the server sees it: this process is not the only one that wants the processor.
  const metrics = await (await request(`${board.url}/metrics`)).body.text()
  const within = (bound: string): number => {
    const wanted = ['switchboard_request_seconds_bucket{', `le="${bound}"`, 'kind="send"', 'part="total"']
    const line = metrics.split('\n').find(each => wanted.every(part => each.includes(part)))
    return Number(line?.split(' ').at(-1))
  }
  for (const bound of ['0.1', '0.25', '0.5', '1'])
    console.log(`accepted within ${bound} s, by the server: ${((100 * within(bound)) / within('+Inf')).toFixed(2)} %`)
  console.log(
    `health and metrics: ${probes.length} answers, p99 ${percentile(probes, 0.99)} ms, faults ${JSON.stringify(faults)}`
  )
  console.log(`resident ${memory(board.child, 'VmRSS')} MB, at most ${memory(board.child, 'VmHWM')} MB`)
  const after = await load({ connections: 1, duration: 1 })
  console.log(`afterwards: ${after.accepted.length} accepted, ${after.refused.length} refused`)
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
