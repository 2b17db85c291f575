import { rmSync } from 'node:fs'
import { pino } from 'pino'
import t from 'tap'
import { createBook } from '../../src/contacts/book.ts'
import { openStore } from '../../src/store/index.ts'
import { startBoard } from '../helper.ts'
import { costOf } from '../longest-piece.ts'

// docs/reliability.md P49: a wide table of contacts is stored in slices, between which others are answered.

const rows = 150
const names = Array.from({ length: 100 }, (_, i) => `column${i}`)
const phones = Array.from({ length: rows }, (_, i) => `1415${5_550_000 + i}`)

t.test('an import holds nobody up for longer than a few hundred cells take', async t => {
  const board = await startBoard(t)
  const table = (word: string) =>
    `phone,${names}\n${phones.map(phone => `+${phone},${names.map(() => word)}\n`).join('')}`
  const load = async (word: string) => {
    const { body } = await board.call('POST', '/contacts.csv?channel=cloud', {
      body: table(word),
      headers: { 'content-type': 'text/csv' }
    })
    return body
  }
  t.strictSame(await load('warm'), { rows, created: rows, updated: 0 })
  const sliced = await costOf(async () => t.strictSame(await load('word'), { rows, created: 0, updated: rows }))
  t.ok(sliced.pieceMs < 500, `${Math.round(sliced.pieceMs)} ms in one piece`)
  const { body } = await board.call('GET', `/contacts/${phones.at(-1)}?channel=cloud`)
  t.strictSame(Object.keys(body.attributes).length, names.length)
  t.equal(body.attributes.column99, 'word')

  const directory = t.testdir()
  const store = await openStore({ directory }, pino({ level: 'silent' }))
  t.teardown(async () => {
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const book = createBook(store)
  const whole = (word: string) =>
    book.upsertAll(
      { channel: 'cloud', mode: 'live' },
      [...phones, ...phones.map(phone => `4${phone}`), ...phones.map(phone => `5${phone}`)].map(phone => ({
        phone,
        attributes: Object.fromEntries(names.map(name => [name, word]))
      }))
    )
  await whole('warm')
  const { pieceMs } = await costOf(() => whole('word'))
  t.ok(pieceMs > 2 * sliced.pieceMs, `CONTROL: in one commit it is ${Math.round(pieceMs)} ms`)
})
