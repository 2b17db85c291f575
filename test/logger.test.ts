import { pino } from 'pino'
import t from 'tap'
import { createLogger, maskPhone } from '../src/logger.ts'
import { startBoard } from './helper.ts'

// P42: no secret leaves by the log, in whatever shape it comes by.

const canaries = {
  maton: 'v2.maton-canary-7f3a9c51d2e84b60',
  odd: 'quo"te\\back/slash+plus=',
  own: `sk_live_${'A1b2'.repeat(10)}xyz_0aB9zZ`,
  database: 'postgres://switchboard:canary-password@db.internal:5432/switchboard'
}
const secrets = [canaries.maton, canaries.odd, canaries.database]
/** Ways by which a secret has got into logs elsewhere (docs/reliability.md 10). */
const shapes: Record<string, (secret: string) => [object, string]> = {
  'a header': secret => [{ headers: { authorization: `Bearer ${secret}` } }, 'x'],
  'a header in other letters': secret => [{ req: { headers: { AUTHORIZATION: `BEARER ${secret}` } } }, 'x'],
  'raw headers': secret => [{ rawHeaders: ['Host', 'x', 'Authorization', `Bearer ${secret}`] }, 'x'],
  'deep inside': secret => [{ a: { b: [{ c: { d: { e: secret } } }] } }, 'x'],
  'a URL': secret => [{ url: `https://api.maton.ai/x?key=${secret}&y=1` }, 'x'],
  'a query string': secret => [{ url: `/x?key=${encodeURIComponent(secret)}` }, 'x'],
  'the message': secret => [{}, `connecting with ${secret} failed`],
  'an error’s message': secret => [{ err: new Error(`refused: ${secret}`) }, 'x'],
  'an error’s property': secret => [
    { err: Object.assign(new Error('x'), { options: { headers: { authorization: secret } } }) },
    'x'
  ],
  'an error’s cause': secret => [{ err: new Error('x', { cause: new Error(`inner ${secret}`) }) }, 'x'],
  'an item of a list': secret => [{ list: ['a', secret, 'b'] }, 'x'],
  'a member’s name': secret => [{ [secret]: 1 }, 'x'],
  'JSON inside a text': secret => [{ body: JSON.stringify({ key: secret }) }, 'x'],
  'twice in a line': secret => [{ a: secret, b: secret }, secret]
}

/** Everything that a logger writes for every shape. */
function written(
  make: (sink: { write: (line: string) => void }) => pino.Logger
): [name: string, line: string, secret: string][] {
  const found: [string, string, string][] = []
  for (const [name, shape] of Object.entries(shapes))
    for (const secret of Object.values(canaries)) {
      let line = ''
      const log = make({ write: text => (line += text) })
      log.error(...shape(secret))
      log.child({ bound: shape(secret)[0] }).warn('child')
      found.push([name, line, secret])
    }
  return found
}
/** Whether a line holds a secret, plain or as JSON writes it, once or twice over. */
const holds = (line: string, secret: string): boolean => {
  const once = JSON.stringify(secret).slice(1, -1)
  return [secret, encodeURIComponent(secret), once, JSON.stringify(once).slice(1, -1)].some(form => line.includes(form))
}

t.test('no secret is written, in whatever shape it comes', async t => {
  for (const [name, line, secret] of written(sink => createLogger('info', secrets, sink))) {
    t.notOk(holds(line, secret), `${name}: ${secret.slice(0, 10)}`)
    t.match(line, /\[redacted\]/, `${name}: something was there`)
    for (const each of line.trim().split('\n')) t.doesNotThrow(() => JSON.parse(each), `${name}: still JSON`)
  }
})

t.test('the password of an address is hidden on its own too, encoded or not', async t => {
  let line = ''
  const log = createLogger('info', ['postgres://u:p%40ss-word-1@db/x'], { write: text => (line = text) })
  for (const text of ['p%40ss-word-1', 'p@ss-word-1']) {
    log.info({ text }, 'x')
    t.notMatch(line, text)
  }
  log.info({ text: 'db' }, 'x')
  t.match(line, '"db"', 'CONTROL: what is no secret is written')
})

t.test('POSITIVE CONTROL: without the scrubber every shape leaks, and redaction by path misses most', async t => {
  const plain = written(sink => pino({ level: 'info' }, sink))
  t.ok(plain.every(([, line, secret]) => holds(line, secret)))
  const redact = ['headers.authorization', 'req.headers.authorization', 'req.headers.AUTHORIZATION', '*.key', 'url']
  const leaks = written(sink => pino({ level: 'info', redact }, sink)).filter(([, line, secret]) => holds(line, secret))
  t.ok(leaks.length > 30, `${leaks.length} of ${plain.length}`)
})

t.test('a line stays one line, whatever stands in it', async t => {
  const lines: string[] = []
  const log = createLogger('info', [], { write: line => void lines.push(line) })
  log.info({ reference: 'a\n{"level":"error","msg":"forged"}\r\n\u2028', esc: '\u001b[31m' }, 'x\ny')
  t.equal(lines.length, 1)
  t.equal(lines[0]!.trimEnd().split('\n').length, 1)
  t.notMatch(lines[0], '\u001b')
  t.match(JSON.parse(lines[0]!), { level: 'info', msg: 'x\ny' })
  t.equal(maskPhone('14155551234'), '…1234')
  t.notOk(createLogger('silent', ['short'], { write: () => t.fail('silent') }).info('x'))
})

t.test('a whole run leaves no number in full, no text of a message and no key in the log', async t => {
  // Some of the numbers never answer, and closing waits for them.
  const board = await startBoard(t, { env: { UPSTREAM_TIMEOUT_MS: '2000' } })
  const numbers = [
    '14155551234',
    '491701234567',
    ...Array.from({ length: 25 }, (_, i) => `155501000${String(i + 1).padStart(2, '0')}`)
  ]
  const key = await board.key()
  const calls = numbers.flatMap(to =>
    ['cloud', 'wati'].map(channel =>
      board.call('POST', '/messages', {
        key,
        body: {
          channel,
          to: `+${to}`,
          type: 'text',
          text: { body: 'canary-of-the-text' },
          reference: 'canary-of-the-reference'
        },
        headers: { prefer: 'wait=1' }
      })
    )
  )
  calls.push(board.call('GET', '/messages?contact=14155551234', { key }))
  calls.push(board.call('GET', '/nowhere?to=14155551234', { key }))
  calls.push(board.call('POST', '/messages', { key, body: { to: '14155551234x' } }))
  await Promise.all(calls)
  const log = board.log.join('')
  t.ok(board.log.length > numbers.length * 2, `${board.log.length} lines`)
  for (const number of numbers) t.notMatch(log, number)
  t.notMatch(log, /canary-of-the-/)
  t.notMatch(log, key)
  t.match(log, /"operation":"sendMessage"/, 'CONTROL: it is the log of these calls')
})
