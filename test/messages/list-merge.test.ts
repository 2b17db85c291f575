import t from 'tap'
import { createWalk, merge, type Seen, type Walk } from '../../src/messages/lists/merge.ts'

const name = (i: number): string => `msg_${String(i).padStart(4, '0')}`
/** The multiples of a number, of which every second fits. */
const multiples = (of: number, most: number): Seen[] =>
  Array.from({ length: Math.floor(300 / of) }, (_, i) => ({ id: name(300 - i * of), fits: i % 2 })).slice(0, most)
const fitting = (seen: Seen[]) => seen.filter(({ fits }) => fits).map(({ id }) => id)
/** Each once, newest first. */
const together = (walks: Seen[][]) => [...new Set(walks.flatMap(fitting))].sort().reverse()

let looks = 0
const walkOver = (seen: Seen[], below = '~'): Walk =>
  createWalk(
    async (after, size) => {
      looks++
      return seen.filter(({ id }) => id < after).slice(0, size)
    },
    below,
    1,
    () => 4
  )

t.test('walks that meet are as one, and give each id once, however they are taken', async t => {
  const walks = [multiples(2, 200), multiples(3, 40), multiples(5, 200), [], multiples(6, 7)]
  for (const count of [1, 7, 1000]) {
    const merged = merge(walks.map(seen => walkOver(seen)))
    const ids: string[] = []
    for (let more = true; more; ) {
      const taken = await merged.take(count)
      ids.push(...taken)
      more = taken.length === count
    }
    t.strictSame(ids, together(walks))
    t.equal(merged.next(), '')
  }
})

t.test('other walks can go on from where the steps were used up', async t => {
  const walks = [multiples(2, 200), multiples(3, 200), multiples(4, 200)]
  for (let steps = 0; steps < 60; steps++) {
    const merged = merge(
      walks.map(seen => walkOver(seen)),
      steps
    )
    const ids = await merged.take(1000)
    const below = merged.next()
    if (below !== '') ids.push(...(await merge(walks.map(seen => walkOver(seen, below))).take(1000)))
    t.strictSame(ids, together(walks), `${steps} steps`)
  }
})

t.test('no walk goes on further than the page goes down', async t => {
  looks = 0
  const far = walkOver(multiples(1, 300))
  await merge([far, walkOver([])]).take(3)
  t.equal(looks, 4, 'portions of one, two and four, and of the other one that finds nothing')
})

t.test('of no walks nothing comes', async t => {
  t.strictSame(await merge([]).take(5), [])
  t.equal(merge([]).next(), '')
})

t.test('of a thousand walks only the one that has moved is looked at again', async t => {
  let asked = 0
  const counted = (walk: Walk): Walk => ({
    ...walk,
    next: () => {
      asked++
      return walk.next()
    }
  })
  const walks = Array.from({ length: 1000 }, (_, i) => walkOver([{ id: name(i), fits: 1 }]))
  for (const walk of walks) await walk.advance()
  const merged = merge(walks.map(counted))
  asked = 0
  t.equal((await merged.take(100)).length, 100)
  t.ok(asked < 5000, `${asked} times, and not once for each walk at each id`)
})
