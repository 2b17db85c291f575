import t from 'tap'
import { createHeardClock } from '../../src/store/clock.ts'

t.test('the clock of a database, as a process knows it', async t => {
  let time = 0
  const clock = createHeardClock(
    () => time,
    () => 7
  )
  t.equal(clock.now(), 7, 'unheard of: the clock of the process')
  clock.hear(1000)
  time = 250
  t.equal(clock.now(), 1250)
  clock.hear(1200)
  t.equal(clock.now(), 1250, 'an answer that was long on its way makes nothing earlier')
  clock.hear(1300)
  t.equal(clock.now(), 1300, 'one that was faster counts')
  clock.hear(200)
  t.equal(clock.now(), 200, 'a clock that was set back is followed')
  time = 70_000
  t.equal(clock.now(), 69_950)
  clock.hear(69_900)
  t.equal(clock.now(), 69_900, 'and after a minute every answer counts: clocks drift')
})
