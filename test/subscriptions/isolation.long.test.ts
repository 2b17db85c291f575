import { CompiledQuery } from 'kysely'
import t from 'tap'
import { until } from '../until.ts'
import { receive } from './receiver.ts'
import { type Bench, bench, shop } from './room.ts'

const many = 100_000
const dead: { at: number; url: string } = { at: 0, url: 'http://127.0.0.1:9/' }

/** How long each of some events takes from its commit to its receiver, in milliseconds; the one that 99 of 100 keep to. */
async function p99({ happen }: Bench, { posted }: { posted: { at: number }[] }): Promise<number> {
  const took: number[] = []
  for (let i = 0; i < 150; i++) {
    const before = posted.length
    const begun = performance.now()
    await happen(1)
    await until(
      () => posted.length,
      count => count > before
    )
    took.push(posted.at(-1)!.at - begun)
  }
  return took.sort((a, b) => a - b)[Math.floor(took.length * 0.99)]!
}

t.test(
  'a hundred thousand events behind a dead subscriber do not move another one’s p99',
  { timeout: 300_000 },
  async t => {
    const one = await bench(t)
    const receiver = await receive(t)
    await one.subscribe({ url: receiver.url })
    const alone = await p99(one, receiver)
    const gone = await one.subscribe({ url: dead.url, events: ['template.updated'] })
    await one.store.write(function* () {
      yield CompiledQuery.raw(`insert into events (position, nonce, type, at, mode, channel_id, service, data)
      with recursive n(i) as (select 1 union all select i + 1 from n where i < ${many})
      select (select max(position) from events) + i, printf('%018d', i), 'template.updated', 0, 'live', 'cloud', 'shop', '{}' from n`)
    })
    one.room.parts.follower.wake()
    const waiting = (await until(
      () =>
        one.store.read<{ n: number }>(
          CompiledQuery.raw(
            `select count(*) as n from deliveries where subscription_id = '${gone.id}' and state = 'pending'`
          ) as never
        ),
      ([row]) => row!.n === many,
      300_000
    )) as { n: number }[]
    t.equal(waiting[0]!.n, many)
    const beside = await p99(one, receiver)
    t.comment(`p99 ${Math.round(alone)} ms alone, ${Math.round(beside)} ms beside it`)
    t.ok(beside < Math.max(3 * alone, alone + 60), `${Math.round(alone)} ms alone, ${Math.round(beside)} ms beside it`)
    t.equal((await one.room.acts.subscriptions.get(shop, gone.id)).status, 'failing')
  }
)
