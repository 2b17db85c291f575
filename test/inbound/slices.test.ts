import t from 'tap'
import type { Heard } from '../../src/adapters/adapter.ts'
import { slicesOf } from '../../src/inbound/slices.ts'

const items = (kinds: string[]) => kinds.map((kind, i) => ({ i, heard: { kind } as Heard }))
const sizes = (all: ReturnType<typeof items>) => [...slicesOf(all)].map(slice => slice.length)

t.test('a commit has a few effects, and what has none costs few commits', async t => {
  t.strictSame(sizes([]), [])
  t.strictSame(sizes(items(Array(30).fill('status'))), [8, 8, 8, 6])
  const flood = Array(200_000).fill('other')
  t.equal(sizes(items(flood)).length, 400)
  const mixed = items(Array.from({ length: 1000 }, (_, i) => (i % 5 === 0 ? 'message' : 'other')))
  const slices = [...slicesOf(mixed)]
  t.strictSame(slices.flat(), mixed, 'all of it, in its order')
  for (const slice of slices) t.ok(slice.filter(({ heard }) => heard.kind !== 'other').length <= 8)
})
