import { globSync, readFileSync } from 'node:fs'
import t from 'tap'

// A doc comment stands alone in a hover: its first words name what they are about (CONTRIBUTING.md, habits).

/** How a comment begins that cannot be read without the one before it. */
const leaning = /(?:\/\*\*[\s*]*|^\s*\/\/ )(?:The same|Those|Whoever)\b.*/gm
const found = (text: string): string[] => [...text.matchAll(leaning)].map(([line]) => line.replace(/\s+/g, ' '))

t.test('no comment begins with “The same”, “Those” or “Whoever”', async t => {
  const files = globSync(['schemas', 'routes', 'src', 'test', 'bench', 'examples'].map(at => `${at}/**/*.{ts,js}`))
  const begun = files.flatMap(file => found(readFileSync(file, 'utf8')).map(line => `${file}: ${line}`))
  t.ok(files.length > 300, `${files.length} files`)
  t.strictSame(begun, [])
})

t.test('POSITIVE CONTROL: such beginnings are found', async t => {
  const begin = (words: string) => [
    `/** ${words} for many. */`,
    `/**\n * ${words} for many.\n */`,
    `  // ${words} that wait`
  ]
  for (const text of ['The same', 'Those', 'Whoever'].flatMap(begin)) t.equal(found(text).length, 1, text)
  t.strictSame(found('/** A message of the same day, for those and whoever. */'), [])
})
