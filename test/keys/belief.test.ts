import t from 'tap'
import { type Belief, createBelief } from '../../src/keys/belief.ts'

interface Found {
  caller: { keyId: string }
  state: string
}
const found = (state: string, keyId = 'key_1'): Found => ({ caller: { keyId }, state })

/** What many a cache does: what was read is written into it, whatever has happened meanwhile. */
function naive(): Belief<Found> {
  const answers = new Map<string, Found>()
  return {
    find: digest => answers.get(digest),
    look: async (digest, load) => {
      const answer = await load()
      if (answer) answers.set(digest, answer)
      return answer
    },
    forget: () => answers.clear()
  }
}

/** A key is revoked while it is looked up; says what the look-up told, and what is told afterwards. */
async function race(belief: Belief<Found>): Promise<(string | undefined)[]> {
  let stored = 'alive'
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  let slow = true
  const load = async () => {
    const read = found(stored)
    if (slow) await held
    return read
  }
  const early = belief.look('d', load)
  const beside = belief.look('d', load)
  stored = 'revoked'
  slow = false
  belief.forget('key_1')
  const joined = belief.look('d', load)
  release()
  const told = await Promise.all([early, beside, joined])
  return [...told, belief.find('d'), await belief.look('d', load)].map(each => each?.state)
}

t.test('a look-up that a change overtakes is made again, and nothing old is believed', async t => {
  const told = await race(createBelief<Found>({ believeMs: 1000 }))
  t.strictSame(told, ['revoked', 'revoked', 'revoked', 'revoked', 'revoked'])
  t.ok(
    (await race(naive())).includes('alive'),
    'CONTROL: a cache that writes back what it read brings the old key to life'
  )
})

t.test('an answer is believed for its time and no longer, by a clock that nobody sets', async t => {
  let time = 0
  let looked = 0
  const belief = createBelief<Found>({ believeMs: 100, now: () => time })
  const load = async () => {
    looked++
    // It took its time: that counts.
    time += 40
    return found(`${looked}`)
  }
  await belief.look('d', load)
  time = 99
  t.equal(belief.find('d')?.state, '1')
  time = 100
  t.equal(belief.find('d'), undefined)
  const [one, other] = await Promise.all([belief.look('d', load), belief.look('d', load)])
  t.equal(one, other, 'asked once for all who ask at a time')
  t.equal(looked, 2)
})

t.test('a change forgets its own key alone, and one that nobody finds is not remembered', async t => {
  const belief = createBelief<Found>({ believeMs: 1000, most: 3 })
  await belief.look('a', async () => found('a', 'key_1'))
  await belief.look('a2', async () => found('a2', 'key_1'))
  await belief.look('b', async () => found('b', 'key_2'))
  belief.forget('key_1')
  t.strictSame([belief.find('a'), belief.find('a2'), belief.find('b')?.state], [undefined, undefined, 'b'])
  t.equal(await belief.look('none', async () => undefined), undefined)
  t.equal((await belief.look('none', async () => found('there')))?.state, 'there')
  await t.rejects(
    belief.look('bad', () => Promise.reject(new Error('the store is away'))),
    { message: 'the store is away' }
  )
  t.equal((await belief.look('bad', async () => found('again')))?.state, 'again')
  for (let i = 0; i < 9; i++) belief.forget(`key_${i}`)
  for (let i = 0; i < 9; i++) await belief.look(`${i}`, async () => found('x', `key_${i}`))
  t.ok([...Array(9).keys()].filter(i => belief.find(`${i}`)).length <= 3, 'and nobody can grow it')
})
