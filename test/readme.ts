import { readFileSync, writeFileSync } from 'node:fs'
import { messageTypes } from '../schemas/content.ts'
import { effects } from '../src/adapters/adapter.ts'
import { adapters } from '../src/adapters/index.ts'
import { magicRecipients, scenarios, standIns, wordsOf } from '../src/sandbox/index.ts'

// The tables of docs/ that are made from code: `npm run readme`. readme.test.ts compares them with the pages.

const table = (head: string[], rows: string[][]): string =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
const yes = (has: unknown): string => (has ? 'yes' : '–')

const pages: Record<string, { file: string; make: () => string }> = {
  matrix: { file: 'docs/providers.md', make: matrix },
  recipients: { file: 'docs/sandbox.md', make: recipients },
  scenarios: {
    file: 'docs/sandbox.md',
    make: () =>
      table(
        ['recipient', 'name', 'what happens'],
        scenarios.map(({ number, name, description }) => [`\`${number}\``, `\`${name}\``, description])
      )
  }
}

function matrix(): string {
  const all = [...adapters.values()]
  const head = ['', ...all.map(adapter => `\`${adapter.provider}\``)]
  const types = messageTypes.map(type => [`send ${type}`, ...all.map(adapter => yes(adapter.encoders[type]))])
  const acts = Object.keys(effects)
    .filter(act => act !== 'sendMessage')
    .map(act => [`\`${act}\``, ...all.map(adapter => yes(adapter.operations[act as keyof typeof adapter.operations]))])
  const notes = all.map(({ provider, notes }) => `\`${provider}\`:\n${notes.map(note => `- ${note}`).join('\n')}`)
  return `${table(head, [...types, ...acts])}\n\n${notes.join('\n\n')}`
}

function recipients(): string {
  return table(
    ['recipient', 'what happens', ...standIns.keys()],
    magicRecipients.map(each => [
      `\`${each.number}\``,
      each.description,
      ...[...standIns.values()].map(standIn => wordsOf(each, standIn))
    ])
  )
}

/** Each page that has a made table: as it is, and as it ought to be. */
export function madePages(): { file: string; now: string; ought: string }[] {
  return Object.entries(pages).map(([name, { file, make }]) => {
    const now = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
    const between = new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(\\n<!-- /${name} -->)`)
    if (!between.test(now)) throw new Error(`${file} has no place for ${name}`)
    return { file, now, ought: now.replace(between, (_, open: string, close: string) => open + make() + close) }
  })
}

if (process.argv[1] === import.meta.filename)
  for (const { file, ought } of madePages()) writeFileSync(new URL(`../${file}`, import.meta.url), ought)
