import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import t from 'tap'
import { cleanFilename, spool, TooLargeError } from '../../src/upstream/spool.ts'
import { costMs } from '../cost.ts'

const directory = await mkdtemp(join(tmpdir(), 'spool-'))
t.teardown(() => rm(directory, { recursive: true }))

t.test('a stream becomes a private file under a random name, counted and hashed', async t => {
  const chunks = [Buffer.from('hello '), Buffer.alloc(70_000, 'x'), Buffer.from('.')]
  const whole = Buffer.concat(chunks)
  const options = { directory, maxBytes: whole.length, filename: '../a.txt', declaredType: ' text/plain ' }
  const one = await spool(Readable.from(chunks), options)
  const two = await spool(Readable.from(chunks), { directory, maxBytes: whole.length })
  t.not(one.path, two.path)
  t.equal((await stat(one.path)).mode & 0o777, 0o600)
  t.strictSame(await readFile(one.path), whole)
  t.match(one, { size: whole.length, sha256: createHash('sha256').update(whole).digest('hex') })
  t.match(one, { filename: 'a.txt', declaredType: 'text/plain' })
  t.strictSame(Object.keys(two).sort(), ['path', 'remove', 'sha256', 'size'])
  t.equal(await one.remove(), undefined)
  await Promise.all([one.remove(), two.remove()])
})

t.test('an empty stream is an empty file', async t => {
  const file = await spool(Readable.from([]), { directory, maxBytes: 1 })
  t.equal(file.size, 0)
  await file.remove()
})

t.test('one byte too many removes the file and destroys the source', async t => {
  const source = new Readable({ read: () => source.push(Buffer.alloc(10)) })
  await t.rejects(spool(source, { directory, maxBytes: 25 }), new TooLargeError(25))
  t.ok(source.destroyed)
})

t.test('a source that breaks removes the file and keeps its error', async t => {
  const broken = new Error('reset')
  async function* source() {
    yield Buffer.from('half')
    throw broken
  }
  await t.rejects(spool(source(), { directory, maxBytes: 25 }), broken)
})

t.test('a source that a multipart parser cut short is too large', async t => {
  const cut = Object.assign(Readable.from([Buffer.from('half')]), { truncated: true })
  await t.rejects(spool(cut, { directory, maxBytes: 25 }), { code: 'too_large' })
})

t.test('a missing directory is an error of the file system', async t => {
  await t.rejects(spool(Readable.from([]), { directory: join(directory, 'no'), maxBytes: 1 }), { code: 'ENOENT' })
})

t.test('a file name is cleaned', async t => {
  const names: [string | undefined, string | undefined][] = [
    [undefined, undefined],
    ['', undefined],
    ['.', undefined],
    ['..', undefined],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\x\\report.pdf', 'report.pdf'],
    ['dir/', undefined],
    ['a\0b.pdf', 'ab.pdf'],
    ['a\r\nSet-Cookie: x.pdf', 'aSet-Cookie_ x.pdf'],
    ['invoice\u202Efdp.exe', 'invoicefdp.exe'],
    ['\u2066a\u2069\u200f\ufeff.pdf', 'a.pdf'],
    ['"quoted".pdf', '_quoted_.pdf'],
    ['.htaccess', 'htaccess'],
    ['name.pdf. . ', 'name.pdf'],
    ['e\u0301te\u0301.pdf', 'été.pdf'],
    ['مستند\u200cها.pdf', 'مستند\u200cها.pdf'],
    ['报告 👩‍👩‍👧.pdf', '报告 👩‍👩‍👧.pdf'],
    ['lone\ud800.pdf', 'lone.pdf'],
    [`${'x'.repeat(300)}.pdf`, `${'x'.repeat(96)}.pdf`],
    [`${'😀'.repeat(60)}.pdf`, `${'😀'.repeat(48)}.pdf`],
    [`a.${'y'.repeat(300)}`, `a.${'y'.repeat(98)}`]
  ]
  for (const [given, cleaned] of names) t.equal(cleanFilename(given), cleaned, JSON.stringify(given)?.slice(0, 60))
})

t.test('a name of 60 KB costs what its length costs', async t => {
  const byPattern = await costMs(() => `${'. '.repeat(6000)}b`.replace(/[. ]+$/, ''))
  for (const unit of ['.', '. ', ' ', 'a.', '\u200b', '/', 'a '])
    for (const name of [`a${unit.repeat(30_000)}b`, unit.repeat(60_000)]) {
      const ms = await costMs(() => cleanFilename(name))
      t.ok(
        ms < byPattern,
        `${JSON.stringify(unit)}: ${ms.toFixed(1)} ms; by a pattern a fifth of it takes ${byPattern} ms`
      )
    }
})

t.test('no file name survives that could be a path, hide its ending or break a header', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), name => {
      const clean = cleanFilename(name)
      if (clean === undefined) return true
      const safe = !/[/\\\0-\x1f\x7f-\x9f"\u202a-\u202e\u2066-\u2069]/.test(clean) && !clean.startsWith('.')
      return safe && clean.length > 0 && clean.length <= 100 && clean.isWellFormed() && cleanFilename(clean) === clean
    }),
    { numRuns: 2000 }
  )
})

t.test('no test left a file', async t => t.strictSame(await readdir(directory), []))
