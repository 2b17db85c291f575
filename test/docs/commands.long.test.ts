import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type Block, begin, blocks, pages, root, terminal, where } from './commands.ts'

// Every command block of README and docs as a reader would run it, on the sandbox that the first of them starts.

t.setTimeout(900_000)

t.test('the first block starts it, and every other one does what it says', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-reader-'))
  const all = blocks()
  const [start, ...more] = all.filter(({ kind }) => kind === 'start')
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
    for (const block of all.filter(block => block.page === page && block.kind === 'run'))
      await t.resolves(run(block), where(block))
  }
  rmSync(join(root, 'results.csv'), { force: true })
  const run = terminal(root, folder, address, variables)
  const block = (text: string): Block => ({ page: 'control', line: 1, kind: 'run', text })
  await t.rejects(run(block('curl -sS localhost:3000/nowhere')), 'CONTROL: an error answer fails a block')
  await t.rejects(run(block('curl -sS localhost:3000/messages/$ID')), 'CONTROL: a variable that no block has set')
})
