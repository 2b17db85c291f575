import t from 'tap'
import { restarts } from './restarts.ts'

const clean = { failed: {}, lost: [], unknown: [], twice: [], exits: [], reaped: 0 }

// The long form, with a hundred of them: npm run bench:restarts.

t.test(
  'restarts under load: each stop is clean, nothing is unknown, lost or sent twice, and no call fails',
  async t => {
    const figures = await restarts(t, { count: 2, perSecond: 30, upMs: 1500 })
    t.ok(figures.sent > 60, `${figures.sent} sent`)
    t.ok(figures.longestStopMs < 25_000)
    const { failed, lost, unknown, twice, exits, reaped } = figures
    t.strictSame({ failed, lost, unknown, twice, exits, reaped }, clean)
  }
)

t.test(
  'CONTROL: ended without a warning some are unknown, calls are cut, and still nothing is lost or sent twice',
  async t => {
    const { failed, lost, unknown, twice, exits } = await restarts(t, {
      ...{ count: 1, perSecond: 30, upMs: 1500 },
      signal: 'SIGKILL'
    })
    t.ok(Object.keys(failed).length > 0, JSON.stringify(failed))
    t.strictSame({ lost, twice, exits }, { lost: [], twice: [], exits: [null] })
    t.comment(`${unknown.length} unknown that somebody was told of`)
  }
)
