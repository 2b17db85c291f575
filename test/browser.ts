import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { messageExamples } from '../schemas/examples.ts'
import { type Board, cloudSettings, startBoard } from './helper.ts'

// Debian's own browser in front of a board, with all that a page complains of.

export const executablePath = '/usr/bin/chromium'
export const skip = existsSync(executablePath) ? false : `there is no ${executablePath}`
/** A name that is no loopback to a browser: no secure context, and the reason why https must not be forced. */
export const name = 'switchboard.internal'
export const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  `--host-resolver-rules=MAP ${name} 127.0.0.1`
]

export async function browser(t: Test): Promise<BrowserContext> {
  const profile = mkdtempSync(join(tmpdir(), 'switchboard-browser-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    args,
    headless: true,
    viewport: { width: 800, height: 600 }
  })
  t.teardown(async () => {
    await context.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  })
  return context
}

/** A page with everything that it complains of; a policy's violation is an error on the console. */
export async function open(context: BrowserContext): Promise<{ page: Page; faults: string[] }> {
  const page = await context.newPage()
  // A page takes its time on a busy machine.
  page.setDefaultTimeout(60_000)
  const faults: string[] = []
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(`${message.type()}: ${message.text()}`)
  })
  page.on('pageerror', error => faults.push(`thrown: ${error.message}`))
  page.on('requestfailed', request => faults.push(`failed: ${request.url()}`))
  page.on('request', request => {
    const { hostname, protocol } = new URL(request.url())
    if (protocol !== 'data:' && protocol !== 'blob:' && ![name, '127.0.0.1'].includes(hostname))
      faults.push(`went to ${hostname}`)
  })
  return { page, faults }
}

/** Pastes a key into the page. */
export async function authorize(page: Page, key: string): Promise<void> {
  await page.locator('.auth-wrapper .btn.authorize').click()
  await page.locator('.auth-container input').fill(key)
  await page.locator('.auth-btn-wrapper .authorize').click()
  await page.locator('.auth-btn-wrapper .btn-done').click()
}

export async function ready(t: Test): Promise<{ board: Board; key: string }> {
  const board = await startBoard(t)
  const demo = { id: 'demo-cloud', provider: 'whatsapp-cloud', connectionId: 'demo', settings: cloudSettings }
  await board.call('POST', '/channels', { body: demo })
  return { board, key: await board.key({ service: 'demo', mode: 'test' }) }
}

/** Sends the examples of these types from the page, with two clicks each; what goes out must be what the document has. */
export async function sendExamples(
  t: Test,
  context: BrowserContext,
  { origin, key, types }: { origin: string; key: string; types: readonly (keyof typeof messageExamples)[] }
): Promise<void> {
  const { page, faults } = await open(context)
  await page.goto(`${origin}/docs`)
  await authorize(page, key)
  const block = page.locator('#operations-Messages-sendMessage')
  await block.locator('.opblock-summary-control').dispatchEvent('click')
  const examples = block.locator('.opblock-section-request-body .examples-select-element')
  for (const type of types) {
    await examples.selectOption(type)
    const answered = page.waitForResponse(
      response => response.url() === `${origin}/messages` && response.request().method() === 'POST'
    )
    // The event alone: playwright's own clicks wait for frames, which a browser without a graphics card draws slowly.
    await block.locator('.btn.execute').dispatchEvent('click')
    const answer = await answered
    t.equal(answer.status(), 201, `${origin} ${type}`)
    t.strictSame(JSON.parse(answer.request().postData()!), messageExamples[type], 'as the document has it')
    await block.locator('.live-responses-table .response-col_status', { hasText: '201' }).waitFor()
    await block.locator('.btn-clear').dispatchEvent('click')
  }
  t.strictSame(faults, [], `${origin}: no error, no violation, nobody else asked`)
  await page.close()
}
