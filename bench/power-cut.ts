import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { CompiledQuery } from 'kysely'
import { openSqlite } from '../src/store/sqlite.ts'
import type { Store } from '../src/store/store.ts'
import { bodyOf } from './power-cut-child.ts'

// Does the embedded store keep what it has acknowledged when the power goes (docs/reliability.md P1)? An ext4 on a loop device
// is shut down under load without flushing its log (EXT4_IOC_SHUTDOWN), mounted again and read. The control answers without
// fdatasync and must lose rows, else this harness sees nothing. By hand, on Linux, as root:
// npm run bench:powercut -- --rounds 20. What it cannot show: a drive that keeps writes in a cache of its own and lies.

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    controls: { type: 'string', default: '8' },
    /** The longest time under load before the cut. */
    seconds: { type: 'string', default: '3' }
  }
})
const imageBytes = 4 * 2 ** 30
const watchedAfterMs = 300

type Variant = 'real' | 'no sync'
const zero = {
  rounds: 0,
  acknowledged: 0,
  missing: 0,
  'missing, acknowledged after the cut': 0,
  'rounds with a loss': 0,
  'integrity failures': 0,
  'WAL resets (on disk)': 0,
  'acknowledged after the cut (begun before)': 0,
  'begun after the cut and acknowledged': 0,
  'rejected before the cut': 0,
  'rejected after the cut: fdatasync failed': 0,
  'rejected after the cut: other StoreUnavailable': 0,
  'rejected after the cut: other error': 0,
  'rejected and yet there': 0,
  'rounds that rejected after the cut': 0,
  'shown by a read, then gone': 0,
  'failed reads: StoreUnavailable': 0,
  'failed reads: other error': 0,
  'process died by itself': 0
}
type Tally = typeof zero
type Cut = { before: bigint; after: bigint }

const place = mkdtempSync(join(tmpdir(), 'switchboard-power-'))
const image = join(place, 'image')
const mountPoint = join(place, 'mount')
const directory = join(mountPoint, 'data')
const children = new Set<ChildProcess>()
let device: string | undefined
let mounted = false

const root = (command: string, ...args: string[]) => String(execFileSync(command, args)).trim()

function mount(): void {
  root('mount', '-t', 'ext4', device!, mountPoint)
  mounted = true
}
/** A process that has just been killed may hold it for some moments more. */
function unmount(): void {
  for (let attempt = 1; mounted; attempt++)
    try {
      execFileSync('umount', [mountPoint], { stdio: 'ignore' })
      mounted = false
    } catch (error) {
      if (attempt === 100) throw error
      execFileSync('sleep', ['0.05'])
    }
}
function cleanUp(): void {
  for (const child of children) child.kill('SIGKILL')
  try {
    unmount()
  } catch {
    // We hold a file ourselves: the kernel lets go of both when this process has ended.
    root('umount', '--lazy', mountPoint)
  }
  if (device) root('losetup', '--detach', device)
  rmSync(place, { recursive: true, force: true })
}
process.on('exit', cleanUp)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))

function start(command: string, args: string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

/** Ready beforehand, so that nothing but the ioctl lies between the word and the cut. */
const cutter = `
import fcntl, os, struct, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY)
print('ready', flush=True)
sys.stdin.readline()
before = time.monotonic_ns()
fcntl.ioctl(fd, 0x8004587d, struct.pack('I', 2)) # EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH
print(before, time.monotonic_ns(), flush=True)`

async function load(variant: Variant, afterMs: number): Promise<{ lines: string[][]; cut: Cut; early: boolean }> {
  const python = start('python3', ['-c', cutter, mountPoint])
  const answers = createInterface(python.stdout!)[Symbol.asyncIterator]()
  await answers.next()
  const child = start(process.execPath, [new URL('power-cut-child.ts', import.meta.url).pathname, directory, variant])
  const lines: string[][] = []
  const told = createInterface(child.stdout!)
  const ready = once(told, 'line')
  told.on('line', line => lines.push(line.split(' ')))
  const ended = once(told, 'close')
  await Promise.race([
    ready,
    ended.then(() => {
      throw new Error('the writing process ended before it began')
    })
  ])
  await pause(afterMs)
  python.stdin!.end('now\n')
  const [before, after] = String((await answers.next()).value).split(' ')
  if (!after) throw new Error('the file system could not be shut down')
  const cut = { before: BigInt(before!), after: BigInt(after) }
  await pause(watchedAfterMs)
  const early = child.exitCode !== null || child.signalCode !== null
  child.kill('SIGKILL')
  await ended
  return { lines, cut, early }
}

/** What is there after the restart, and whether it is sound. */
async function examine(): Promise<{ present: Set<number>; resets: number; faults: string[] }> {
  const present = new Set<number>()
  let resets = 0
  const faults: string[] = []
  let store: Store | undefined
  try {
    // Bytes 12 to 15 of the log's header count how often it has begun anew.
    const header = readFileSync(`${directory}/switchboard.db-wal`).subarray(12, 16)
    if (header.length === 4) resets = header.readUInt32BE()
    store = openSqlite(directory)
    const { read: ask } = store
    const read = <R>(text: string, ...parameters: unknown[]) => ask<R>(CompiledQuery.raw(text, parameters) as never)
    for (const row of await read<{ integrity_check: string }>('pragma integrity_check'))
      if (row.integrity_check !== 'ok') faults.push(row.integrity_check)
    for (let last = 0; ; ) {
      const rows = await read<{ id: number; body: Uint8Array }>(
        'select id, body from rows where id > ? order by id limit 500',
        last
      )
      for (const { id, body } of rows)
        if (bodyOf(id).equals(body)) present.add(id)
        else faults.push(`row ${id} holds something else`)
      if (rows.length === 0) break
      last = rows.at(-1)!.id
    }
    const [tally] = await read<{ n: number }>('select n from tally')
    if (tally?.n !== present.size) faults.push(`half a transaction: ${tally?.n} counted, ${present.size} there`)
  } catch (error) {
    faults.push(String(error))
  } finally {
    await store?.close()
  }
  return { present, resets, faults }
}

async function round(variant: Variant, afterMs: number, sum: Tally): Promise<string> {
  root('mkfs.ext4', '-q', '-F', '-N', '1024', '-E', 'nodiscard', device!)
  mount()
  mkdirSync(directory)
  const { lines, cut, early } = await load(variant, afterMs)
  unmount()
  mount()
  const { present, resets, faults } = await examine()
  unmount()

  const one: Tally = { ...zero, rounds: 1, 'WAL resets (on disk)': resets, 'process died by itself': Number(early) }
  let seen = 0
  const rejected = new Set<number>()
  for (const [verdict, name, begun = 0, ended = 0, kind] of lines) {
    const id = Number(name)
    if (verdict === 'seen') seen = id
    else if (verdict === 'unread') one[`failed reads: ${name === 'other' ? 'other error' : 'StoreUnavailable'}`]++
    else if (verdict === 'ok') {
      one.acknowledged++
      // With a real cut nobody hears what is said from then on; here the kernel answers a sync that it has not made, now and then.
      if (!present.has(id)) one[BigInt(ended) < cut.before ? 'missing' : 'missing, acknowledged after the cut']++
      if (BigInt(begun) > cut.after) one['begun after the cut and acknowledged']++
      else if (BigInt(ended) > cut.after) one['acknowledged after the cut (begun before)']++
    } else if (verdict === 'no') {
      rejected.add(id)
      if (present.has(id)) one['rejected and yet there']++
      if (BigInt(ended) < cut.before) one['rejected before the cut']++
      else if (kind === 'sync') one['rejected after the cut: fdatasync failed']++
      else if (kind === 'store') one['rejected after the cut: other StoreUnavailable']++
      else one['rejected after the cut: other error']++
    }
  }
  one['integrity failures'] = Number(faults.length > 0)
  one['rounds with a loss'] = Number(one.missing > 0)
  one['rounds that rejected after the cut'] = Number(rejected.size > 0)
  // Ids are committed nearly in their order, so what the highest one showed should all be there, or was on its way.
  for (let id = 1; id <= seen; id++) if (!present.has(id)) one['shown by a read, then gone']++
  for (const key of Object.keys(sum) as (keyof Tally)[]) sum[key] += one[key]
  for (const fault of faults.slice(0, 3)) console.log(`  ${fault}`)
  return `${one.acknowledged} acknowledged, ${one.missing} missing, ${resets} WAL resets, ${rejected.size} rejected`
}

const sums: Record<Variant, Tally> = { real: { ...zero }, 'no sync': { ...zero } }
mkdirSync(mountPoint)
writeFileSync(image, '')
truncateSync(image, imageBytes)
device = root('losetup', '--find', '--show', image)
for (const [variant, rounds] of [
  ['no sync', Number(values.controls)],
  ['real', Number(values.rounds)]
] as const)
  for (let i = 1; i <= rounds; i++) {
    // Every fifth soon after the first commit: then the files themselves are new, not only what they hold.
    const afterMs = i % 5 === 0 ? Math.random() * 100 : (0.2 + 0.8 * Math.random()) * Number(values.seconds) * 1000
    const outcome = await round(variant, afterMs, sums[variant])
    console.log(`${variant} ${i}, cut after ${Math.round(afterMs)} ms: ${outcome}`)
  }

console.table(
  Object.fromEntries(
    (Object.keys(zero) as (keyof Tally)[]).map(key => [key, { real: sums.real[key], 'no sync': sums['no sync'][key] }])
  )
)
const { real, 'no sync': control } = sums
const verdicts: [string, boolean][] = [
  ['the store lost what it had acknowledged', real.missing > 0],
  ['the database was damaged', real['integrity failures'] > 0],
  ['a write begun after the cut was acknowledged', real['begun after the cut and acknowledged'] > 0],
  ['a rejection was not StoreUnavailable', real['rejected after the cut: other error'] > 0],
  ['a write was rejected before the cut', real['rejected before the cut'] > 0],
  [
    'blind: a round met no rejection',
    real['rounds that rejected after the cut'] + real['process died by itself'] < real.rounds
  ],
  ['blind: the control lost nothing', control.missing === 0],
  ['blind: the log never began anew', real['WAL resets (on disk)'] === 0],
  ['blind: no failing fdatasync was met', real['rejected after the cut: fdatasync failed'] === 0]
]
const failed = verdicts.filter(([, wrong]) => wrong)
for (const [text] of failed) console.error(text)
process.exitCode = failed.length > 0 ? 1 : 0
