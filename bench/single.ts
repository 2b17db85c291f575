import { closeSync, fdatasync, fdatasyncSync, globSync, openSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'undici'
import { atMost, inDirectory, median, option, start, startServer, startUpstream } from './children.ts'
import { cloudCall, cloudPath, matonHeaders, type Target, throughProxy, throughServer } from './load.ts'

// One request at a time over one connection: what the proxy and what we add to the upstream's own time (p50), and whether our
// own part is two syncs of the disk and little else. All in turn within one run, in blocks of 100.
// `npm run bench:single -- --rounds 5 --requests 1000 --warm 10000`
const rounds = option('rounds', 5)
const requests = option('requests', 1000)
/** V8 compiles the last of it after some thousand requests. */
const warm = option('warm', 10_000)
const block = 100
const most = 6
/** Milliseconds that our own part may have beside its two syncs. */
const spare = 0.6

interface Times {
  total: number[]
  /** By the Server-Timing header, where there is one. */
  own: number[]
}
/** Sends a call `count` times, the next one when the answer is there. Throws on any answer but 2xx. */
async function send(client: Client, { url, headers, body }: Target, count: number, into: Times): Promise<void> {
  const path = new URL(url).pathname
  for (let i = 0; i < count; i++) {
    const begun = performance.now()
    const answer = await client.request({ path, method: 'POST', headers, body })
    const text = await answer.body.text()
    into.total.push(performance.now() - begun)
    if (answer.statusCode >= 300) throw new Error(`${url} answered ${answer.statusCode}: ${text}`)
    into.own.push(Number(/own;dur=([\d.]+)/.exec(String(answer.headers['server-timing']))?.[1]))
  }
}
const fresh = (): Times => ({ total: [], own: [] })

/** A file of 16 MB that is on disk, overwritten from its begin to its end and again. */
function openFile(path: string, bytes: number) {
  const size = 16 * 1024 * 1024
  const fd = openSync(path, 'w+')
  writeSync(fd, Buffer.alloc(size, 1))
  fdatasyncSync(fd)
  const sync = promisify(fdatasync)
  const piece = Buffer.alloc(bytes, 2)
  let at = 0
  const overwrite = async (count: number, into: number[]) => {
    for (let i = 0; i < count; i++) {
      if (at + bytes > size) at = 0
      writeSync(fd, piece, 0, bytes, at)
      at += bytes
      const begun = performance.now()
      await sync(fd)
      into.push(performance.now() - begun)
    }
  }
  return { overwrite, close: () => closeSync(fd) }
}

await inDirectory(async directory => {
  const upstream = await startUpstream()
  const board = await startServer(directory, upstream)
  const targets = {
    straight: cloudCall(upstream, cloudPath, matonHeaders),
    proxy: throughProxy(await start('bench/proxy.ts', [upstream.url])),
    board: throughServer(board)
  }
  const names = ['straight', 'proxy', 'board'] as const
  const clients = Object.fromEntries(names.map(name => [name, new Client(new URL(targets[name].url).origin)]))
  const run = (name: (typeof names)[number], count: number, into: Times) =>
    send(clients[name]!, targets[name], count, into)

  const log = () => statSync(globSync(join(directory, 'data', '*-wal'))[0]!).size
  await run('board', 10, fresh())
  const before = log()
  await run('board', 50, fresh())
  // A message passes two commits. The log is read before it is long enough to be written from its begin again.
  const bytes = Math.round((log() - before) / 100)
  const file = openFile(join(directory, 'overwritten'), bytes)
  console.log(`a commit writes ${bytes} bytes`)
  for (const name of names) await run(name, warm, fresh())

  const ratios: number[] = []
  const left: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const times = { straight: fresh(), proxy: fresh(), board: fresh() }
    const syncs: number[] = []
    for (let done = 0; done < requests; done += block) {
      for (const name of names) await run(name, block, times[name])
      await file.overwrite(block, syncs)
    }
    const [straight, proxy, ours] = names.map(name => median(times[name].total)) as [number, number, number]
    const own = median(times.board.own)
    const sync = median(syncs)
    ratios.push((ours - straight) / (proxy - straight))
    left.push(own - 2 * sync)
    console.log(
      `round ${round}: straight ${straight.toFixed(2)} ms | proxy adds ${(proxy - straight).toFixed(2)} ms | switchboard adds ${(ours - straight).toFixed(2)} ms: x${ratios.at(-1)!.toFixed(2)} | own ${own.toFixed(1)} ms, a sync ${sync.toFixed(2)} ms, own beside two syncs ${left.at(-1)!.toFixed(2)} ms`
    )
  }
  file.close()
  await Promise.all(Object.values(clients).map(client => client.destroy()))
  const ratio = median(ratios)
  const beside = median(left)
  console.log(`median of ${rounds}: added x${ratio.toFixed(2)} ${atMost(ratio, most)}`)
  console.log(`median of ${rounds}: own beside two syncs ${beside.toFixed(2)} ms ${atMost(beside, spare)}`)
})
