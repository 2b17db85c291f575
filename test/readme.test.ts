import t from 'tap'
import { madeReadme } from './readme.ts'

t.test('the tables of the README are those of the code (npm run readme)', async t => {
  const { now, ought } = madeReadme()
  t.equal(now, ought)
})
