import { globSync, readFileSync } from 'node:fs'
import t from 'tap'
import {
  afterOwnFaultMs,
  backoffSeconds,
  isTired,
  overBudgetMs,
  redeliveryMs,
  retryDelayMs,
  retryPolicy,
  throttleSeconds
} from '../../src/delivery/retry-policy.ts'

const least = () => 0
const most = () => 1
const both = (of: (random: () => number) => number) => [of(least), of(most)]

t.test('a wait that nobody named is at random between a second and 1, 2, 4 … 60', async t => {
  const spans = [0, 1, 2, 5, 6, 50, 5000].map(failures => both(random => backoffSeconds(failures, random)))
  t.strictSame(spans, [
    [1, 1],
    [1, 2],
    [1, 4],
    [1, 32],
    [1, 60],
    [1, 60],
    [1, 60]
  ])
  t.strictSame(
    both(random => throttleSeconds('account', undefined, { attempt: 1, times: 3 }, random)),
    [1, 8],
    'an account that was told three times'
  )
})

t.test('what a provider names is kept: never earlier, and a little apart', async t => {
  t.strictSame(
    both(random => retryDelayMs(3, { retryAfterSeconds: 7, throttles: 'recipient' }, random)),
    [7000, 7250]
  )
  t.equal(throttleSeconds('channel', 9, { attempt: 1, times: 4 }, most), 9)
})

t.test('one recipient is left alone for 4^n seconds', async t => {
  t.strictSame(
    [1, 2, 6, 9].map(attempt => retryDelayMs(attempt, { throttles: 'recipient' }, most) / 1000),
    [4, 16, 4096, 4096]
  )
  t.equal(throttleSeconds('recipient', undefined, { attempt: 2, times: 9 }, most), 16)
})

t.test(
  'five tries after the first, of what the provider’s own faults keep from being taken; a refusal for the rate does not tire',
  async t => {
    const verdict = (status: number | null) => ({ provider: { name: 'x', status } })
    t.strictSame(
      [1, 5, 6].map(attempts => isTired(verdict(503), attempts)),
      [false, false, true]
    )
    t.equal(isTired(verdict(429), 50), false)
    t.equal(isTired(verdict(null), 50), false)
  }
)

t.test(
  'an event goes to its subscriber again after 5 s, 5 min … 24 h, ± 10 %, never earlier than it asked for',
  async t => {
    const { schedule } = retryPolicy.subscribers
    t.strictSame(
      both(random => redeliveryMs(1, undefined, random)!),
      [4500, 5500]
    )
    t.strictSame(
      schedule.map((_, i) => (redeliveryMs(i, undefined, () => 0.5) ?? 0) / 1000),
      [0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    )
    t.equal(redeliveryMs(schedule.length, undefined, most), undefined, 'then it is given up')
    t.equal(redeliveryMs(1, 60, least), 60_000)
    t.equal(redeliveryMs(3, 60, least), 1_620_000, 'a shorter wait than ours is no wish for haste')
    t.equal(redeliveryMs(1, 10_000_000, most), 86_400_000, 'and nobody has it wait for more than a day')
  }
)

t.test('own faults and a budget that is used up', async t => {
  t.strictSame([1, 2].map(afterOwnFaultMs), [4000, 16_000])
  t.strictSame(both(overBudgetMs), [2000, 5000])
})

/** What looks like a number or a formula of trying again; what a caller is told to wait is another thing. */
const formula =
  /\b\d+(?:\.\d+)? ?\*\* ?[\w(]|Math\.random\(\)|[rR]etryAfterSeconds \* |\b(?!retryAfterSeconds = )(?:retry|again|later|backoff|jitter)\w*(?:Ms|Seconds) = \d/
const strays = ([file, text]: [string, string]): string[] =>
  text
    .split('\n')
    .filter(line => formula.test(line) && !/^\s*(?:\/\/|\/?\*)/.test(line))
    .map(line => `${file}: ${line.trim()}`)

t.test('no other file of sending has a number or a formula of its own', async t => {
  const rooms = ['delivery', 'dispatch', 'broadcasts', 'messages', 'adapters', 'subscriptions']
  const home = 'src/delivery/retry-policy.ts'
  const files = rooms.flatMap(room => globSync(`src/${room}/**/*.ts`))
  const read = (file: string): [string, string] => [file, readFileSync(file, 'utf8')]
  t.ok(files.includes(home) && files.length > 80, `${files.length} files`)
  const found = files.filter(file => file !== home).flatMap(file => strays(read(file)))
  // What was slow or late is forgotten by half in a while: it is waited for, and nothing is tried again.
  t.strictSame(
    found.filter(line => !line.includes('top.value * 0.5 **')),
    []
  )
  t.ok(strays(read(home)).length >= 3, 'POSITIVE CONTROL: those of the policy are found')
  for (const line of ['const retryMs = 5000', 'const wait = 2 ** attempt', 'run_at: now + Math.random() * 3000'])
    t.equal(strays(['x', line]).length, 1, `POSITIVE CONTROL: ${line}`)
})

t.test('the figures of docs/reliability.md P21, P22 and section 4', async t => {
  t.match(retryPolicy, {
    mostAfterFaults: 5,
    longestSeconds: 60,
    budget: { share: 0.1 },
    breaker: { calls: 20, windowMs: 30_000, share: 0.5, probeMs: 5000 }
  })
})
