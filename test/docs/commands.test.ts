import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type Block, begin, blocksOf, missing, terminal } from './commands.ts'

// Every command block of README and docs as a reader would run it, on the sandbox that the first of them starts.

const root = new URL('../..', import.meta.url).pathname
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'src/adapters/README.md',
  ...globSync('docs/**/*.md', { cwd: root }).sort()
]
const blocks = pages.flatMap(page => blocksOf(page, readFileSync(join(root, page), 'utf8')))
const where = ({ page, line }: Block): string => `${page}:${line}`

t.test('the blocks name only scripts and files that are there', async t => {
  t.ok(blocks.length > 10, `${blocks.length} blocks`)
  for (const block of blocks) t.strictSame(missing(root, block), [], where(block))
  t.strictSame(
    blocks.filter(({ text }) => /\bcurl\b(?! -sS)/.test(text)).map(where),
    [],
    'curl says what went wrong (-sS)'
  )
})

t.test('the first block starts it, and every other one does what it says', { timeout: 240_000 }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-reader-'))
  const [start, ...more] = blocks.filter(({ kind }) => kind === 'start')
  t.strictSame(more, [], 'one start for all')
  // What is installed stays so: the test runs in the middle of the others.
  const started = { ...start!, text: start!.text.replace('npm ci && ', '') }
  const { child, address, said } = await begin(root, started, { PORT: '0', DATA_DIR: folder })
  t.teardown(async () => {
    process.kill(-child.pid!, 'SIGTERM')
    await new Promise(resolve => child.once('close', resolve))
    rmSync(folder, { recursive: true })
  })
  const variables = Object.fromEntries(
    [...said.matchAll(/^\s+(KEY|ADMIN)=(\S+)$/gm)].map(([, name, value]) => [name!, value!])
  )
  t.match(variables, { KEY: /^sk_test_/, ADMIN: /^sk_live_/ }, 'the two lines that a reader copies')
  for (const page of pages) {
    const run = terminal(root, folder, address, variables)
    for (const block of blocks.filter(block => block.page === page && block.kind === 'run'))
      await t.resolves(run(block), where(block))
  }
  rmSync(join(root, 'results.csv'), { force: true })
  const run = terminal(root, folder, address, variables)
  const block = (text: string): Block => ({ page: 'control', line: 1, kind: 'run', text })
  await t.rejects(run(block('curl -sS localhost:3000/nowhere')), 'CONTROL: an error answer fails a block')
  await t.rejects(run(block('curl -sS localhost:3000/messages/$ID')), 'CONTROL: a variable that no block has set')
})
