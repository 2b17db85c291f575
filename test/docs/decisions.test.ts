import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'

const folder = new URL('../../docs/decisions/', import.meta.url)
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8')
const files = readdirSync(folder).filter(name => name !== 'README.md')
/** What every decision says, in this order. */
const form =
  /^# (\d+)\. .+\n\nDate: \d{4}-\d\d-\d\d\n\n## Context\n\n[^#]+\n\n## Decision\n\n[^#]+\n\n## Consequences\n\n[^#]+$/

t.test('every decision has its date, context, decision and consequences, and stands in the list', async t => {
  t.ok(files.length > 60, `${files.length} decisions`)
  const list = read('README.md')
  for (const name of files) {
    t.equal(Number(form.exec(read(name))?.[1]), Number(name.slice(0, 4)), `${name} has the form`)
    t.equal(list.split(`(${name})`).length, 2, `${name} stands in the list, once`)
  }
  const numbers = files.map(name => name.slice(0, 4))
  t.equal(new Set(numbers).size, numbers.length, 'no number is given twice')
  t.notMatch('# 1. A thing\n\nDate: 2026-11-20\n\nIt is so.\n', form, 'POSITIVE CONTROL: words without the form')
})
