import t from 'tap'
import { createRetryBudget } from '../../../src/delivery/scheduling/retry-budget.ts'

t.test(
  'where every try fails, few go out again: ten at once, then one in six seconds, and one for ten first tries',
  async t => {
    let now = 0
    const budget = createRetryBudget(() => now)
    const spend = () => {
      let spent = 0
      for (; budget.may(); spent++) budget.again()
      return spent
    }
    t.equal(spend(), 10)
    now += 5900
    t.equal(spend(), 0)
    now += 100
    t.equal(spend(), 1)
    budget.first(30)
    t.equal(spend(), 3)
    now += 3600_000
    t.equal(spend(), 10, 'no more than ten are saved up')
  }
)

t.test('when the first gets through again, all that waited follow', async t => {
  let now = 0
  const budget = createRetryBudget(() => now)
  while (budget.may()) budget.again()
  now += 6000
  let sent = 0
  while (sent < 1000 && budget.may()) {
    budget.again()
    budget.ended()
    sent++
  }
  t.equal(sent, 1000)
})
