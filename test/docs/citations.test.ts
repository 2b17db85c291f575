import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'

// What code and pages cite stands in docs/, under the anchor that they name (docs/decisions/0057-citations.md).

const pages = globSync(['docs/**/*.md', 'README.md', 'CONTRIBUTING.md', 'src/adapters/README.md'])
const sources = globSync(['src/**/*.ts', 'routes/**/*.ts', 'schemas/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts']).concat(
  globSync(['*.md', '*.yaml', 'Dockerfile', 'examples/*.ts', 'deploy/**/*.*'])
)
const own = normalize('test/docs/citations.test.ts')
const read = (files: string[]): Map<string, string> =>
  new Map(files.filter(file => normalize(file) !== own).map(file => [normalize(file), readFileSync(file, 'utf8')]))

/** The anchor that GitHub gives a heading. */
const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[`*]/g, '')
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-')
const anchorsOf = (text: string): Set<string> =>
  new Set([
    ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id!),
    ...[...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => slug(heading!))
  ])
const anchors = new Map([...read(pages)].map(([file, text]) => [file, anchorsOf(text)]))

/** A promise, threat or correction, a section and perhaps its rule, a decision, or an anchor in words. */
const one = String.raw`(?:[PTA]\d+|[A-G]\d*\b(?![a-z])|\d{1,2}(?:\.\d+)*(?!\d)(?: rule \d+)?|decision \d+|[a-z]+(?:-[a-z]+)+)`
const citation = new RegExp(String.raw`\bdocs/((?:decisions/)?[\w-]+)\.md(?: (${one}(?:(?:, | and )${one})*))?`, 'g')
function unresolved([file, text]: [string, string]): string[] {
  const old = [...text.matchAll(/\b(?:API|RELIABILITY|UPSTREAM|WEBHOOKS|HOUSE)\.md\b/g)].map(
    ([name]) => `${file}: ${name} is cited as docs/${name.toLowerCase()} <anchor>`
  )
  const cited = [...text.matchAll(citation)].flatMap(([whole, page, refs]) => {
    const known = anchors.get(normalize(`docs/${page}.md`))
    if (!known) return [`${file}: ${whole}: there is no such page`]
    const names = (refs ?? '').split(/, | and /).filter(Boolean)
    return names
      .filter(name => !known.has(name.toLowerCase().replaceAll(' ', '-')))
      .map(name => `${file}: ${whole}: ${page} has no ${name}`)
  })
  return [...old, ...cited]
}

function broken([file, text]: [string, string]): string[] {
  const prose = text.replace(/```[\s\S]*?```/g, '')
  return [...prose.matchAll(/\]\(([^)\s]*)\)/g)].flatMap(([, target]) => {
    if (/^https?:/.test(target!)) return []
    const [path, anchor] = target!.split('#')
    const page = path ? normalize(join(dirname(file), path)) : file
    if (globSync(page).length === 0) return [`${file}: ${target} does not exist`]
    return anchor && !anchors.get(page)?.has(anchor) ? [`${file}: ${target} has no such anchor`] : []
  })
}

t.test('every citation in code names an anchor of docs/', async t => {
  const all = [...read(sources)]
  t.ok(all.flatMap(([, text]) => [...text.matchAll(citation)]).length > 200, 'there are some')
  t.strictSame(all.flatMap(unresolved), [])
})

t.test('every link of a page leads somewhere', async t => t.strictSame([...read(pages)].flatMap(broken), []))

t.test('POSITIVE CONTROL: what is not there is found', async t => {
  for (const text of ['docs/reliability.md P99', 'docs/upstream.md 4.99', 'docs/nowhere.md', 'RELIABILITY.md P5'])
    t.equal(unresolved(['src/x.ts', `// ${text}`]).length, 1, text)
  t.strictSame(unresolved(['src/x.ts', '// docs/reliability.md P5, P6 and docs/reliability.md 3.1 rule 8']), [])
  for (const link of ['docs/nothing.md', 'docs/sending.md#nothing'])
    t.equal(broken(['README.md', `[x](${link})`]).length, 1, link)
})
