import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { messageTypes } from '../schemas/content.ts'
import { messageExamples } from '../schemas/examples.ts'
import { type Board, cloudSettings, startBoard, until } from './helper.ts'

// What a newcomer does first: opens /docs, pastes the key, sends each example. In Debian's own browser.

// A browser takes its time to start on a busy machine.
t.setTimeout(90_000)

const executablePath = '/usr/bin/chromium'
const skip = existsSync(executablePath) ? false : `there is no ${executablePath}`
/** A name that is no loopback to a browser: no secure context, and the reason why https must not be forced. */
const name = 'switchboard.internal'
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  `--host-resolver-rules=MAP ${name} 127.0.0.1`
]

async function browser(t: Test): Promise<BrowserContext> {
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
async function open(context: BrowserContext): Promise<{ page: Page; faults: string[] }> {
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
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

async function authorize(page: Page, key: string): Promise<void> {
  await page.locator('.auth-wrapper .btn.authorize').click()
  await page.locator('.auth-container input').fill(key)
  await page.locator('.auth-btn-wrapper .authorize').click()
  await page.locator('.auth-btn-wrapper .btn-done').click()
}

async function ready(t: Test): Promise<{ board: Board; key: string }> {
  const board = await startBoard(t)
  const demo = { id: 'demo-cloud', provider: 'whatsapp-cloud', connectionId: 'demo', settings: cloudSettings }
  await board.call('POST', '/channels', { body: demo })
  return { board, key: await board.key({ service: 'demo', mode: 'test' }) }
}

t.test(
  'each message example is sent from the page with two clicks, on localhost and under a plain name',
  { skip },
  async t => {
    const { board, key } = await ready(t)
    const context = await browser(t)
    const { port } = new URL(board.url)
    for (const origin of [board.url, `http://${name}:${port}`]) {
      const { page, faults } = await open(context)
      await page.goto(`${origin}/docs`)
      await authorize(page, key)
      const block = page.locator('#operations-Messages-sendMessage')
      await block.locator('.opblock-summary-control').dispatchEvent('click')
      const examples = block.locator('.opblock-section-request-body .examples-select-element')
      for (const type of origin === board.url ? messageTypes : (['text', 'template'] as const)) {
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
  }
)

t.test('POSITIVE CONTROL: an error, a violation and a stranger are seen', { skip }, async t => {
  const { board } = await ready(t)
  const { page, faults } = await open(await browser(t))
  await page.goto(`${board.url}/docs`)
  await page.locator('.auth-wrapper .btn.authorize').waitFor()
  t.strictSame(faults, [])
  await page.evaluate(`(() => {
    const add = (tag, more) => document.body.append(Object.assign(document.createElement(tag), more))
    add('script', { textContent: 'window.ran = true' })
    add('img', { src: 'http://evil.example/x.png' })
    console.error('an error')
  })()`)
  const violations = () => faults.filter(fault => /Content.Security.Policy/i.test(fault)).length
  await until(violations, count => count >= 2)
  t.pass('the policy stops a script in the page and a picture from elsewhere')
  t.ok(faults.some(fault => fault.includes('an error')))
  t.equal(await page.evaluate('window.ran'), undefined)
})
