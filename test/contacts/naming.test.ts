import t from 'tap'
import { namingAny } from '../../src/contacts/naming.ts'

t.test('a name is found whole, behind whatever escape, and not within another', async t => {
  const names = namingAny(['14155550101', 'DE.1'])
  for (const text of [
    '14155550101',
    'call \\u00a014155550101',
    '\\ud83d\\ude0014155550101',
    '"\\n14155550101"',
    '/contacts/%2B14155550101/data',
    'discount 20%14155550101',
    'x14155550101x',
    'wamid/DE.1/x',
    '"\\tDE.1"'
  ])
    t.ok(names(text), text)
  for (const text of ['4414155550101', '141555501010', 'DE.12', 'ADE.1', 'DE-1', '']) t.notOk(names(text), text)
  t.notOk(namingAny([])('anything'))
})
