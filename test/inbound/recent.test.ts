import t from 'tap'
import { createRecent } from '../../src/inbound/recent.ts'

t.test('what is told again within a minute is kept once, and what could not be kept is tried again', async t => {
  const { once } = createRecent()
  let kept = 0
  const keep = async () => {
    kept++
    return true
  }
  t.equal(await once('a', 0, keep), true)
  t.equal(await once('a', 60_000, keep), false)
  t.equal(await once('b', 60_000, keep), true, 'CONTROL: another one')
  t.equal(await once('a', 60_001, keep), true, 'later it may be news')
  t.equal(kept, 3)

  const failing = () => Promise.reject(new Error('no disk'))
  await t.rejects(once('c', 60_001, failing), { message: 'no disk' })
  t.equal(await once('c', 60_002, keep), true)
  const both = await Promise.allSettled([once('d', 60_002, failing), once('d', 60_002, keep)])
  t.match(both, [{ status: 'rejected' }, { status: 'fulfilled', value: true }], 'nobody is told that it has been kept')
})

t.test('nobody is told that it has been kept before it is', async t => {
  const { once } = createRecent()
  let done = (_: boolean): void => undefined
  const slow = once('a', 0, () => new Promise(resolve => (done = resolve)))
  let told = false
  const again = once('a', 1, async () => true).then(fresh => {
    told = true
    return fresh
  })
  await new Promise(setImmediate)
  t.equal(told, false)
  done(true)
  t.strictSame(await Promise.all([slow, again]), [true, false])
})

t.test('of a flood the latest are known', async t => {
  const { once } = createRecent()
  const keep = async () => true
  for (let i = 0; i < 20_000; i++) await once(String(i), 0, keep)
  t.equal(await once('19999', 0, keep), false)
  t.equal(await once('0', 0, keep), true, 'the first is forgotten, and kept again')
})
