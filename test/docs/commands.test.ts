import t from 'tap'
import { blocks, missing, root, where } from './commands.ts'

t.test('the blocks name only scripts and files that are there', async t => {
  const all = blocks()
  t.ok(all.length > 10, `${all.length} blocks`)
  for (const block of all) t.strictSame(missing(root, block), [], where(block))
  t.strictSame(
    all.filter(({ text }) => /\bcurl\b(?! -sS)/.test(text)).map(where),
    [],
    'curl says what went wrong (-sS)'
  )
})
