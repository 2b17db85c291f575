import t from 'tap'
import { restarts } from './restarts.ts'

// The long form, with a hundred of them: npm run bench:restarts.

t.test(
  'restarts under load: each stop is clean, nothing is unknown, lost or sent twice, and no call fails',
  async t => {
    const figures = await restarts(t, { count: 3, perSecond: 30, upMs: 1500 })
    t.comment(JSON.stringify(figures))
    t.ok(figures.sent > 60, `${figures.sent} sent`)
    t.match(figures, { failed: {}, lost: [], unknown: [], twice: [], exits: [], reaped: 0 })
    t.strictSame(figures.failed, {})
    t.ok(figures.longestStopMs < 25_000)
  }
)
