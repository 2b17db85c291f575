import { mock } from 'node:test'
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createGroupCommit } from '../../src/store/group-commit.ts'
import type { WriteOptions } from '../../src/store/store.ts'

/** A store that counts: the names of each commit, and syncs that end when they are told to. */
function counting(t: Test) {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const commits: string[][] = []
  const syncs: (() => void)[] = []
  const told: string[] = []
  let at = 0
  /** Of the event loop, and in which of them each commit was. */
  let turn = 0
  const turns: number[] = []
  const names = new Map<() => unknown, string>()
  /** Whether somebody else has the store locked. */
  let locked = false
  let tries = 0
  const refused: string[] = []
  const group = createGroupCommit({
    commit: jobs => {
      tries++
      if (locked) return 'locked'
      turns.push(turn)
      commits.push(jobs.map(({ unit }) => names.get(unit)!))
      return jobs.map(
        ({ resolve }) =>
          () =>
            resolve(undefined)
      )
    },
    sync: done => void syncs.push(() => done(null)),
    failed: () => t.fail('no sync fails here'),
    synced: () => undefined,
    now: () => at
  })
  return {
    ...{ commits, turns, told, group, refused },
    tries: () => tries,
    lock: (is: boolean) => {
      locked = is
    },
    move: (ms: number) => {
      at += ms
      mock.timers.tick(ms)
    },
    write: (name: string, patient?: WriteOptions['patient']) => {
      const unit = () => (function* () {})()
      names.set(unit, name)
      group.write(unit, patient && { patient }).then(
        () => told.push(name),
        error => refused.push(`${name}: ${error.name}`)
      )
    },
    /** Time for all that can go on by itself; syncs end at once. */
    meanwhile: async () => {
      for (let i = 0; i < 10; i++) {
        syncs.shift()?.()
        await turnOfLoop()
        turn++
      }
    }
  }
}

t.test('beside units that somebody waits for, what can wait for a commit is gathered for 25 ms', async t => {
  const { commits, told, move, write, meanwhile } = counting(t)
  write('send')
  await meanwhile()
  for (const name of ['one', 'two', 'three']) {
    write(name, 'commit')
    await meanwhile()
    move(8)
  }
  t.strictSame(commits.splice(0), [['send']])
  t.strictSame(told.splice(0), ['send'], 'nothing is told that is not committed')
  move(1)
  await meanwhile()
  t.strictSame(commits.splice(0), [['one', 'two', 'three']])
  t.strictSame(told, [], 'nor what is not on disk')
  write('next')
  await meanwhile()
  t.strictSame(told.splice(0), ['next', 'one', 'two', 'three'], 'the sync of a send does for them')

  for (const name of ['four', 'five']) {
    write(name, 'sync')
    await meanwhile()
  }
  t.strictSame(
    commits.splice(0),
    [['next'], ['four'], ['five']],
    'control: what waits for a sync alone is committed at once'
  )
  t.strictSame(told, [])
  move(10)
  await meanwhile()
  t.strictSame(told, ['four', 'five'], 'and has a sync of its own in the end')
})

t.test('what must not wait takes along what does, and so many do not wait', async t => {
  const { commits, turns, move, write, meanwhile } = counting(t)
  write('send')
  write('one', 'commit')
  await meanwhile()
  write('two', 'sync')
  await meanwhile()
  t.strictSame(commits.splice(0), [['send'], ['one'], ['two']], 'nobody was there before: the first is not gathered')
  write('three', 'commit')
  await meanwhile()
  t.strictSame(commits, [])
  write('four', 'sync')
  await meanwhile()
  t.strictSame(commits.splice(0), [['three', 'four']])
  move(25)
  await meanwhile()
  t.strictSame(commits, [], 'once')
  write('send')
  await meanwhile()
  for (let i = 0; i < 40; i++) write(`${i}`, 'commit')
  await meanwhile()
  t.strictSame(
    commits.splice(1).map(names => names.length),
    [16, 16, 8],
    'a few in one'
  )
  t.equal(new Set(turns.slice(-3)).size, 3, 'others have the event loop in between')
})

t.test('where nobody is waited for, nothing waits', async t => {
  const { commits, told, move, write, meanwhile } = counting(t)
  write('send')
  await meanwhile()
  move(50)
  write('one', 'commit')
  await meanwhile()
  write('two', 'commit')
  await meanwhile()
  t.strictSame(commits, [['send'], ['one'], ['two']])
  t.strictSame(told, ['send', 'one', 'two'])
})

t.test('closing waits for what is gathered', async t => {
  const { told, move, group, write, meanwhile } = counting(t)
  write('send')
  await meanwhile()
  write('one', 'commit')
  let idle = false
  void group.idle().then(() => {
    idle = true
  })
  await meanwhile()
  t.notOk(idle)
  move(25)
  await meanwhile()
  move(10)
  await meanwhile()
  t.strictSame(told, ['send', 'one'])
  t.ok(idle)
})

t.test('a locked store is tried again, in order, and what has waited for two seconds is refused', async t => {
  const { commits, told, refused, tries, lock, move, group, write, meanwhile } = counting(t)
  lock(true)
  write('one')
  write('two', 'sync')
  await meanwhile()
  write('three')
  write('four', 'commit')
  await meanwhile()
  const before = tries()
  await meanwhile()
  t.equal(tries(), before, 'nobody knocks meanwhile')
  for (let i = 0; i < 10; i++) {
    move(20)
    await meanwhile()
  }
  t.ok(tries() - before >= 10)
  t.strictSame([commits, told, refused], [[], [], []], 'nothing is lost, and nothing told')
  lock(false)
  for (const ms of [20, 10]) {
    move(ms)
    await meanwhile()
  }
  t.strictSame(commits.splice(0).flat(), ['one', 'three', 'two', 'four'], 'first what somebody waits for')
  t.strictSame(told.splice(0), ['one', 'three', 'two', 'four'])

  lock(true)
  write('patient', 'commit')
  await meanwhile()
  write('late')
  let idle = false
  void group.idle().then(() => {
    idle = true
  })
  for (let i = 0; i < 99; i++) {
    move(20)
    await meanwhile()
  }
  t.strictSame([refused, idle], [[], false])
  for (let i = 0; i < 3; i++) {
    move(20)
    await meanwhile()
  }
  t.strictSame(refused.sort(), ['late: StoreUnavailable', 'patient: StoreUnavailable'])
  t.ok(idle, 'and closing does not wait for what is refused')
  lock(false)
  write('after')
  move(20)
  await meanwhile()
  t.strictSame([commits, told], [[['after']], ['after']])
})

t.test('what can wait keeps nobody from being refused in time', async t => {
  const { refused, lock, move, write, meanwhile } = counting(t)
  lock(true)
  write('send')
  for (let i = 0; i <= 110; i++) {
    write(`${i}`, 'sync')
    move(20)
    await meanwhile()
  }
  t.ok(refused.includes('send: StoreUnavailable'))
  t.notOk(refused.includes('110: StoreUnavailable'), 'CONTROL: what has just come has its time')
})
