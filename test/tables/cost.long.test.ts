import { parse } from 'csv-parse/sync'
import t from 'tap'
import { fromCsv } from '../../src/contacts/csv.ts'
import { costOf } from '../longest-piece.ts'

// docs/reliability.md P49: no table costs more than its size, and none holds the others up.

const size = 7_900_000
/** For one piece of any of them, on a machine that others use too; the promise is 250 ms. */
const mostMs = 500
const columns = (count: number) => Array.from({ length: count }, (_, i) => `c${i}`).join(',')
const ragged = Array.from({ length: 9000 }, (_, i) => `+1415${1_000_000 + i},${'v,'.repeat(i % 90)}v\n`)
const tables: Record<string, string> = {
  'many columns': `phone,${columns(900_000)}\n+14155551234`,
  'many empty columns': `phone${','.repeat(size)}`,
  'many empty columns below': `phone,a\n${','.repeat(size)}`,
  'a cell of quotes': `phone,a\n+14155551234,"${'""'.repeat(size / 2)}"\n`,
  'a quote that is not closed': `phone,a\n+14155551234,"${'x,\n'.repeat(size / 3)}`,
  'bad quotes': `phone,a\n${'+1,"a"b\n'.repeat(size / 8)}`,
  'empty lines': `phone,a\n${'\n'.repeat(size)}`,
  'empty lines above': '\n'.repeat(size),
  'empty rows': `phone,a\n${',\n'.repeat(size / 2)}`,
  'rows of other lengths': `phone,${columns(100)}\n${ragged.join('')}`,
  'wide rows': `phone,${columns(100)}\n${`+14155551234,${'x,'.repeat(99)}x\n`.repeat(9000)}`,
  'wrong numbers': `phone,a\n${'x,y\n'.repeat(9000)}`,
  'long numbers': `phone,a\n${`${'1'.repeat(800)},y\n`.repeat(9000)}`,
  'one number again and again': `phone,a\n${'+14155551234,y\n'.repeat(9000)}`,
  separators: ';'.repeat(size),
  NUL: '\0'.repeat(size),
  'one word': 'x'.repeat(size)
}

t.test('the costliest tables, each in small pieces', async t => {
  await fromCsv(Buffer.from('phone,a\n+14155551234,b\n'))
  for (const [name, table] of Object.entries(tables)) {
    let said = ''
    const { pieceMs } = await costOf(async () => {
      await fromCsv(Buffer.from(table)).catch(error => (said = error.message))
    })
    t.ok(pieceMs < mostMs, `${name}: at most ${Math.round(pieceMs)} ms in one piece; ${said.slice(0, 60)}`)
    t.ok(said.length < 64 * 1024, name)
  }
  const library = await costOf(async () => {
    parse('\n'.repeat(100_000), { relax_column_count: true, from: 2 })
    parse(`a,b\n${'\n'.repeat(100_000)}`, { relax_column_count: true })
  })
  t.ok(library.pieceMs > mostMs, `CONTROL: as the library reads them it is seen: ${Math.round(library.pieceMs)} ms`)
})
