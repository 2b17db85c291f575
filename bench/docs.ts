import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { children, median, option, startServer } from './children.ts'

// What the list of /docs takes of the browser's main thread, from an empty cache to its last operation, in Debian's chromium;
// beside it a page of the server that has no script, as what any page takes. `npm run bench:docs -- --rounds 5`
const rounds = option('rounds', 5)
const mostMs = 1000
const directory = mkdtempSync(join(tmpdir(), 'switchboard-bench-'))

interface Load {
  mainThreadMs: number
  scriptMs: number
  layoutMs: number
  totalMs: number
}
const load = async (url: string, last: string): Promise<Load> => {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu']
  })
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    const session = await page.context().newCDPSession(page)
    await session.send('Performance.enable')
    const began = performance.now()
    await page.goto(url)
    await page.waitForSelector(last, { state: 'attached' })
    const totalMs = performance.now() - began
    // What the page still does with the list that it has.
    await page.evaluate('new Promise(done => requestIdleCallback(() => requestIdleCallback(done)))')
    const { metrics } = await session.send('Performance.getMetrics')
    const ms = (name: string) => 1000 * (metrics.find(metric => metric.name === name)?.value ?? 0)
    return {
      mainThreadMs: ms('TaskDuration'),
      scriptMs: ms('ScriptDuration'),
      layoutMs: ms('LayoutDuration') + ms('RecalcStyleDuration'),
      totalMs
    }
  } finally {
    await browser.close()
  }
}

try {
  const board = await startServer(directory)
  const figures: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const plain = await load(`${board.url}/errors`, 'body')
    const list = await load(
      `${board.url}/docs/`,
      '#operations-Webhooks-receiveWebhook, .opblock-tag-section:last-of-type'
    )
    figures.push(list.mainThreadMs)
    console.log(
      `round ${round}: /docs ${list.mainThreadMs.toFixed(0)} ms of main thread (script ${list.scriptMs.toFixed(0)}, layout ${list.layoutMs.toFixed(0)}), there after ${list.totalMs.toFixed(0)} ms | a page without script ${plain.mainThreadMs.toFixed(0)} ms`
    )
  }
  const middle = median(figures)
  console.log(`median of ${rounds}: ${middle.toFixed(0)} ms (at most ${mostMs}): ${middle <= mostMs ? 'PASS' : 'FAIL'}`)
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
