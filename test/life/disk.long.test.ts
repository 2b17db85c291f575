import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { type Sandbox, startSandbox } from '../../src/sandbox/index.ts'
import { matonKey, until } from '../helper.ts'
import { place, type Running, run, text } from './run.ts'

// A disk that is full, and one that can only be read any more, under a running server (docs/reliability.md P27, P28). Both need
// root, and a kernel that lets it mount: elsewhere these tests skip themselves, and say so.

const root = (command: string, ...args: string[]) => String(execFileSync(command, args, { stdio: 'pipe' })).trim()
const settled = new Set(['accepted', 'sent', 'delivered', 'read'])

/** A mount of its own, gone with the test. */
function mounted(t: Test, mount: (at: string) => void): string | undefined {
  const at = mkdtempSync(join(tmpdir(), 'switchboard-disk-'))
  try {
    mount(at)
  } catch (error) {
    rmSync(at, { recursive: true, force: true })
    t.pass(`skipped: this machine lets nobody mount (${(error as Error).message.split('\n')[0]})`)
    return undefined
  }
  t.teardown(() => {
    root('umount', '--lazy', at)
    rmSync(at, { recursive: true, force: true })
  })
  return at
}

/** Sends, each to a number of its own, until one is refused for the store's sake. */
async function sendUntilRefused(board: Running, acked: Map<string, string>, refused: string[]): Promise<void> {
  let full = false
  await Promise.all(
    Array.from({ length: 8 }, async (_, i) => {
      for (let n = 0; !full && n < 5000; n++) {
        const to = `1415${i}${String(acked.size + refused.length + n).padStart(6, '0')}`
        const { status, body } = await board.call('POST', '/messages', text(to, { text: { body: 'x'.repeat(4000) } }), {
          prefer: 'wait=2'
        })
        if (status < 300) acked.set(body.id, to)
        else {
          full = true
          refused.push(to)
          if (status !== 503 || body.code !== 'overloaded' || body.outcome !== 'not_sent')
            throw new Error(JSON.stringify(body))
        }
      }
    })
  )
}
async function rowsOf(board: Running): Promise<Map<string, { to: string; status: string }>> {
  const rows = new Map()
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { body } = await board.call('GET', `/messages?limit=100${cursor && `&cursor=${cursor}`}`)
    for (const row of body.items) rows.set(row.id, row)
    cursor = body.nextCursor
  }
  return rows
}
const sends = (sandbox: Sandbox) => sandbox.ledger.sends().map(({ to }) => to!)

/** What was acknowledged is stored and was sent once; what was refused is not there, and was not sent. */
async function check(t: Test, board: Running, sandbox: Sandbox, acked: Map<string, string>, refused: string[]) {
  const rows = await until(
    () => rowsOf(board),
    // A row of which nobody could say whether it was kept is taken back once the store can be written.
    found => found.size === acked.size
  )
  t.strictSame([...rows.keys()].sort(), [...acked.keys()].sort(), `${acked.size} acknowledged, as many stored`)
  for (const id of acked.keys())
    if (!settled.has(rows.get(id)!.status))
      await until(
        async () => (await board.call('GET', `/messages/${id}`)).body.status,
        status => settled.has(status)
      )
  const sent = sends(sandbox)
  t.equal(new Set(sent).size, sent.length, 'nobody was messaged twice')
  t.strictSame(sent.sort(), [...acked.values()].sort(), 'everybody who was acknowledged was messaged')
  t.strictSame(
    refused.filter(to => sent.includes(to)),
    [],
    `of ${refused.length} that were refused nobody was`
  )
}

t.test('a full disk: 503 and nothing half, reads go on, not ready within 2 s, and it goes on by itself', async t => {
  if (process.getuid?.() !== 0) return t.pass('skipped: only root can mount a small disk')
  const data = mounted(t, at => root('mount', '-t', 'tmpfs', '-o', 'size=9m', 'none', at))
  if (!data) return
  const sandbox = await startSandbox({ apiKey: matonKey })
  t.teardown(() => sandbox.close())
  const ballast = join(data, 'ballast')
  writeFileSync(ballast, Buffer.alloc(5_000_000))
  const board = await run(t, { directory: place(t), data, matonUrl: sandbox.url })
  const acked = new Map<string, string>()
  const refused: string[] = []
  await sendUntilRefused(board, acked, refused)
  t.ok(acked.size > 20 && refused.length > 0, `${acked.size} acknowledged, ${refused.length} refused`)
  // The last bytes as well, so that not even a small commit fits.
  try {
    for (let n = 0; ; n++) writeFileSync(join(data, `rest-${n}`), Buffer.alloc(4096))
  } catch {}
  await until(
    () => board.call('GET', '/readyz'),
    ({ status }) => status === 503,
    2000
  )
  t.match(await board.call('GET', '/livez'), { status: 200 }, 'alive: a restart would mend nothing')
  const [id] = acked.keys()
  t.match(await board.call('GET', `/messages/${id}`), { status: 200 }, 'what is stored is still read')
  for (let n = 0; n < 5; n++) {
    const to = `4917600000${n}`
    const answer = await board.call('POST', '/messages', text(to))
    t.match(answer, { status: 503, body: { code: 'overloaded' }, headers: { 'retry-after': /\d/ } })
    refused.push(to)
  }
  for (const path of ['/media', '/broadcasts', '/contacts.csv?channel=cloud'])
    t.match(await board.upload(path), { status: 503, body: { code: 'overloaded', outcome: 'not_sent' } }, path)

  for (const name of root('ls', data)
    .split('\n')
    .filter(each => /^(ballast|rest-)/.test(each)))
    rmSync(join(data, name))
  await until(
    () => board.call('GET', '/readyz'),
    ({ status }) => status === 200
  )
  const after = await board.call('POST', '/messages', text('491760000099'))
  t.equal(after.status, 201, 'it goes on')
  acked.set(after.body.id, '491760000099')
  await check(t, board, sandbox, acked, refused)
  t.equal(await board.end(), 0)
})

t.test(
  'a disk that turns read-only: 503, reads go on, and after a restart all that was acknowledged is there',
  async t => {
    if (process.getuid?.() !== 0) return t.pass('skipped: only root can make a disk fail')
    const image = join(place(t), 'disk.img')
    let device = ''
    const data = mounted(t, at => {
      root('truncate', '-s', '48M', image)
      root('mkfs.ext4', '-q', '-F', image)
      root('mount', '-o', 'loop,errors=remount-ro', image, at)
      device = basename(root('findmnt', '-n', '-o', 'SOURCE', at))
    })
    if (!data) return
    const sandbox = await startSandbox({ apiKey: matonKey })
    t.teardown(() => sandbox.close())
    const directory = place(t)
    const inside = join(data, 'data')
    mkdirSync(inside)
    const board = await run(t, { directory, data: inside, matonUrl: sandbox.url })
    const acked = new Map<string, string>()
    for (let n = 0; n < 30; n++) {
      const to = `1415000${String(n).padStart(4, '0')}`
      acked.set((await board.call('POST', '/messages', text(to))).body.id, to)
    }
    // Nothing is on its way to the disk now: of a sync that it interrupts the kernel itself may say that it went well.
    try {
      // What the kernel does by itself when it meets an error on the disk.
      writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, '1')
    } catch (error) {
      return t.pass(`skipped: this kernel cannot be told that a disk fails (${(error as NodeJS.ErrnoException).code})`)
    }
    const refused = Array.from({ length: 8 }, (_, n) => `49176000000${n}`)
    for (const answer of await Promise.all(refused.map(to => board.call('POST', '/messages', text(to)))))
      t.match(answer, { status: 503, body: { code: 'overloaded', outcome: 'not_sent' } })
    await until(
      () => board.call('GET', '/readyz'),
      ({ status }) => status === 503,
      2000
    )
    const [first] = acked.keys()
    t.match(await board.call('GET', `/messages/${first}`), { status: 200 })
    t.strictSame(sends(sandbox).sort(), [...acked.values()].sort(), 'what was refused was not sent')
    await board.end('SIGKILL')

    root('umount', data)
    root('mount', '-o', 'loop,errors=remount-ro', image, data)
    const again = await run(t, { directory, data: inside, matonUrl: sandbox.url })
    const rows = await rowsOf(again)
    t.strictSame([...rows.keys()].sort(), [...acked.keys()].sort(), `${acked.size} acknowledged, as many stored`)
    t.match(await again.call('POST', '/messages', text('491760000099')), { status: 201 }, 'and it goes on')
    const sent = sends(sandbox)
    t.equal(new Set(sent).size, sent.length, 'nobody was messaged twice')
    t.equal(await again.end(), 0)
  }
)
