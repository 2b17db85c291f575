import { readFileSync, writeFileSync } from 'node:fs'
import { messageTypes } from '../schemas/content.ts'
import { effects } from '../src/adapters/adapter.ts'
import { adapters } from '../src/adapters/index.ts'
import { magicRecipients, standIns, wordsOf } from '../src/sandbox/index.ts'

// The parts of README.md that are made from code: `npm run readme`. readme.test.ts compares them with the file.

const file = new URL('../README.md', import.meta.url)
const table = (head: string[], rows: string[][]): string =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
const yes = (has: unknown): string => (has ? 'yes' : '–')

const parts: Record<string, () => string> = {
  matrix: () => {
    const all = [...adapters.values()]
    const head = ['', ...all.map(adapter => `\`${adapter.provider}\``)]
    const types = messageTypes.map(type => [`send ${type}`, ...all.map(adapter => yes(adapter.encoders[type]))])
    const acts = Object.keys(effects)
      .filter(act => act !== 'sendMessage')
      .map(act => [
        `\`${act}\``,
        ...all.map(adapter => yes(adapter.operations[act as keyof typeof adapter.operations]))
      ])
    const notes = all.map(({ provider, notes }) => `\`${provider}\`:\n${notes.map(note => `- ${note}`).join('\n')}`)
    return `${table(head, [...types, ...acts])}\n\n${notes.join('\n\n')}`
  },
  recipients: () =>
    table(
      ['recipient', 'what happens', ...standIns.keys()],
      magicRecipients.map(each => [
        `\`${each.number}\``,
        each.description,
        ...[...standIns.values()].map(standIn => wordsOf(each, standIn))
      ])
    )
}

/** README.md with its made parts as they ought to be. */
export function madeReadme(): { now: string; ought: string } {
  const now = readFileSync(file, 'utf8')
  let ought = now
  for (const [name, make] of Object.entries(parts)) {
    const between = new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(\\n<!-- /${name} -->)`)
    if (!between.test(ought)) throw new Error(`README.md has no place for ${name}`)
    ought = ought.replace(between, (_, open: string, close: string) => open + make() + close)
  }
  return { now, ought }
}

if (process.argv[1] === import.meta.filename) writeFileSync(file, madeReadme().ought)
