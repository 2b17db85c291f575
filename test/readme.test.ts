import { readFileSync } from 'node:fs'
import t from 'tap'
import { madePages } from './readme.ts'

t.test('the tables of the manual are those of the code (npm run readme)', async t => {
  for (const { file, now, ought } of madePages()) t.equal(now, ought, file)
})

t.test('the README stays short enough to be read', async t => {
  const lines = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n').length
  t.ok(lines <= 180, `${lines} lines`)
})
