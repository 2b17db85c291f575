import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { deliveryFailpoints } from '../../src/failpoints.ts'
import { startSandbox } from '../../src/sandbox/index.ts'
import { matonKey } from '../helper.ts'
import { place, type Running, run, text } from '../life/run.ts'
import { file } from '../process.ts'
import { until } from '../until.ts'
import { receive } from './receiver.ts'

/** examples/receive.ts as its reader starts it. */
async function receiver(t: Test, directory: string, secret: string, port = '0') {
  const child = spawn(process.execPath, [file('examples/receive.ts')], {
    env: { PATH: process.env.PATH, WEBHOOK_SECRET: secret, PORT: port, DATABASE: join(directory, 'events.db') },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGKILL'))
  const told = await new Promise<string>(resolve => child.stdout!.once('data', part => resolve(String(part))))
  const ended = new Promise(resolve => child.once('close', resolve))
  const kill = () => {
    child.kill('SIGKILL')
    return ended
  }
  return { port: /"port":(\d+)/.exec(told)![1]!, kill }
}

const effectsIn = (directory: string): string[] => {
  const db = new DatabaseSync(join(directory, 'events.db'))
  const rows = db.prepare('select event_id from effects order by event_id').all() as { event_id: string }[]
  db.close()
  return rows.map(row => row.event_id)
}
/** The ids of all events of a type that the journal has. */
async function journal({ call }: Running, type: string): Promise<string[]> {
  const ids: string[] = []
  for (let since = ''; ; ) {
    const { body } = await call('GET', `/events?type=${type}&limit=100${since && `&since=${since}`}`)
    if (body.items.length === 0) return ids.sort()
    ids.push(...body.items.map(({ id }: { id: string }) => id))
    since = body.nextCursor
  }
}

t.test('kill -9 of the sender at each step, and of the receiver: every event arrives, each effect once', async t => {
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
  t.teardown(sandbox.close)
  const directory = place(t)
  const env = { EGRESS_ALLOW: '127.0.0.0/8', NODE_ENV: 'test' }
  const start = (more: Record<string, string> = {}) =>
    run(t, { directory, matonUrl: sandbox.url, env: { ...env, ...more } })
  let sender = await start()
  // The secret is needed to start the receiver, and its port to subscribe: so it moves once.
  const made = await sender.call('POST', '/subscriptions', {
    url: 'http://127.0.0.1:9/',
    events: ['message.accepted']
  })
  let listening = await receiver(t, directory, made.body.secret)
  const { port } = listening
  await sender.call('PATCH', `/subscriptions/${made.body.id}`, { url: `http://127.0.0.1:${port}/` })
  let repeated = 0
  for (const point of deliveryFailpoints) {
    await sender.end('SIGKILL')
    sender = await start({ CRASH_AT: `${point}:3` })
    const { child } = sender
    const died = new Promise(resolve => child.once('close', resolve))
    // Whatever is not accepted any more as it dies has no event either.
    await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        sender.call('POST', '/messages', text(`1415555${1000 + i}`)).catch(() => undefined)
      )
    )
    await died
    t.pass(`it died at ${point}`)
    if (point === 'delivery_answered') {
      repeated++
      await listening.kill()
      listening = await receiver(t, directory, made.body.secret, port)
    }
    sender = await start()
  }
  const wanted = await until(
    () => journal(sender, 'message.accepted'),
    ids => ids.length >= 8
  )
  const effects = await until(
    () => effectsIn(directory),
    ids => ids.length >= wanted.length
  )
  t.strictSame(effects, wanted, 'every event once, and nothing else')
  t.ok(wanted.length >= 8 && repeated === 1, `${wanted.length} events`)
  t.notMatch(sender.output(), /whsec_|14155551000/)
})

t.test(
  'POSITIVE CONTROL: a receiver that remembers no ids sees an event twice when the sender dies after its answer',
  async t => {
    const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
    t.teardown(sandbox.close)
    const forgetful = await receive(t)
    const env = { EGRESS_ALLOW: '127.0.0.0/8', NODE_ENV: 'test', CRASH_AT: 'delivery_answered' }
    const directory = place(t)
    const sender = await run(t, { directory, matonUrl: sandbox.url, env })
    const died = new Promise(resolve => sender.child.once('close', resolve))
    await sender.call('POST', '/subscriptions', { url: forgetful.url, events: ['message.accepted'] })
    await sender.call('POST', '/messages', text('14155551000')).catch(() => undefined)
    await died
    await run(t, { directory, matonUrl: sandbox.url, env: { EGRESS_ALLOW: '127.0.0.0/8' } })
    await until(
      () => forgetful.posted.length,
      count => count === 2
    )
    t.equal(new Set(forgetful.ids()).size, 1, 'with the same id')
  }
)
