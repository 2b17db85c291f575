import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { table } from './broadcasts/order.ts'
import { browser, name, open, skip } from './browser.ts'
import { pathsOf, seeded, signIn } from './console-seed.ts'
import { adminKey, cloudSettings, startBoard } from './helper.ts'

// The operator's page in Debian's own browser: every view wide and narrow, held against axe, with text in every field that
// would run if it were taken for anything but text. SCREENSHOTS names a folder in which each view is kept as a picture.

t.setTimeout(900_000)

const axe = readFileSync('node_modules/axe-core/axe.min.js', 'utf8')
const folder = process.env.SCREENSHOTS

interface AxeResult {
  violations: { id: string; impact: string; nodes: { html: string }[] }[]
}

async function look(t: Test, page: Page, address: string, label: string, width: number): Promise<void> {
  await page.setViewportSize({ width, height: 900 })
  await page.goto(address)
  await page.evaluate(axe)
  const result = (await page.evaluate('axe.run(document)')) as AxeResult
  const serious = result.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  t.strictSame(
    serious.map(({ id, nodes }) => `${id}: ${nodes[0]!.html.slice(0, 200)}`),
    [],
    `${label} at ${width}: nothing serious`
  )
  t.equal(await page.evaluate('window.ran'), undefined, `${label}: nothing from outside has run`)
  const wide = (await page.evaluate('document.documentElement.scrollWidth')) as number
  t.ok(wide <= width, `${label} at ${width}: ${wide} pixels wide`)
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${label}-${width}.png`), fullPage: true })
}

t.test(
  'every view, wide and narrow, in light and dark: nothing serious, nothing runs, nothing is refused',
  { skip },
  async t => {
    const seed = await seeded(t)
    const { board } = seed
    const context = await browser(t)
    const { page, faults } = await open(context)
    // axe is put in by hand: the page itself runs nothing but its own two files.
    await page.route('**/console/**', route => route.continue())
    await page.goto(`${board.url}/console/sign-in`)
    if (folder !== undefined) await page.screenshot({ path: join(folder, 'sign-in-1280.png') })
    await signIn(page, board.url)
    for (const [name, path] of Object.entries(pathsOf(seed)))
      for (const width of [1280, 390]) await look(t, page, `${board.url}/console${path}`, name, width)
    await page.emulateMedia({ colorScheme: 'dark' })
    for (const [name, path] of Object.entries(pathsOf(seed)))
      await look(t, page, `${board.url}/console${path}`, `${name}-dark`, 1280)
    const own = faults.filter(fault => !/status of 404/.test(fault))
    t.strictSame(own, [], 'no error and no violation')
  }
)

t.test('two operators at once: the second is told what the first has done', { skip }, async t => {
  const { board, ids } = await seeded(t)
  const context = await browser(t)
  const one = (await open(context)).page
  const two = (await open(context)).page
  await signIn(one, board.url)
  const cancel = `${board.url}/console/broadcasts/${ids.broadcast}/cancel`
  await one.goto(cancel)
  await two.goto(cancel)
  t.match(await one.locator('.lead').innerText(), /^\d+ messages? of “June” will not be sent, for good/)
  await one.click('button.danger')
  await one.locator('.notice.good').waitFor()
  await two.click('button.danger')
  await two.locator('.notice.bad[role=alert]:not([hidden])').waitFor()
  t.match(await two.locator('.notice.bad:not([hidden])').innerText(), /canceled/)
})

t.test(
  'a session that ends in the middle of an act: nothing is done, and it goes on after the sign-in',
  { skip },
  async t => {
    const { board } = await seeded(t)
    const { page } = await open(await browser(t))
    const key = await board.key({ service: 'night', scopes: ['admin'] })
    await signIn(page, board.url, key)
    await page.goto(`${board.url}/console/test`)
    await page.fill('#f-to', '+1 415 555 0199')
    await page.fill('#f-text', 'Is anybody there?')
    const before = (await board.call('GET', '/messages?contact=14155550199')).body.items.length
    await board.call('DELETE', `/keys/${(await board.call('GET', '/keys/self', { key })).body.id}`)
    await page.click('button.danger')
    await page.locator('#key').waitFor()
    t.match(await page.locator('.notice:not([hidden])').first().innerText(), /ended/)
    t.equal((await board.call('GET', '/messages?contact=14155550199')).body.items.length, before, 'nothing was sent')
    await page.fill('#key', adminKey)
    await page.press('#key', 'Enter')
    await page.locator('#f-to').waitFor()
    t.equal(await page.inputValue('#f-text'), 'Is anybody there?', 'what was filled in is still there')
    await page.selectOption('#f-channel', 'cloud')
    await page.click('button.danger')
    await page.waitForURL(/\/console\/messages\/msg_/)
    t.equal((await board.call('GET', '/messages?contact=14155550199')).body.items.length, before + 1)
  }
)

t.test('a page that was open while the server restarted says so, and goes on by itself', { skip }, async t => {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-console-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const first = await startBoard(t, { directory })
  const channel = { id: 'cloud', provider: 'whatsapp-cloud', connectionId: 'cloud-connection', settings: cloudSettings }
  await first.call('POST', '/channels', { body: channel })
  const { page } = await open(await browser(t))
  await signIn(page, first.url)
  await page.locator('#live table').waitFor()
  await first.close()
  await page.locator('#trouble:not([hidden])').waitFor()
  t.match(await page.locator('#trouble').innerText(), /does not answer|answered 5/)
  t.ok(await page.locator('#live table').isVisible(), 'what was there is still there')
  const second = await startBoard(t, { directory, port: Number(new URL(first.url).port) })
  await second.call('POST', '/channels/cloud/pause')
  await page.locator('#live', { hasText: 'cloud: paused' }).waitFor()
  t.equal(await page.locator('#trouble').isVisible(), false)
  await page.click('#live-pause')
  t.equal(await page.getAttribute('#live-pause', 'aria-pressed'), 'true')
})

t.test('a table is checked, shown and then sent; copying works without TLS', { skip }, async t => {
  const { board } = await seeded(t)
  const { page } = await open(await browser(t))
  const origin = `http://${name}:${new URL(board.url).port}`
  await signIn(page, origin)
  await page.goto(`${origin}/console/broadcasts/new`)
  await page.selectOption('#f-channel', 'cloud')
  await page.fill('#f-name', 'July')
  await page.fill('#f-template', 'order_update')
  await page.fill('#f-language', 'en_US')
  const rows = `${table(3)}nobody,order-9,Eve,9\r\n`
  await page.setInputFiles('#f-file', { name: 'people.csv', mimeType: 'text/csv', buffer: Buffer.from(rows) })
  await page.click('button.main')
  t.match(await page.locator('.lead').innerText(), /3 people would be written to; 1 row wrong. Nothing is accepted yet/)
  t.match(await page.locator('table').first().innerText(), /\/file\/4\/phone/)
  const named = async () =>
    (await board.call('GET', '/broadcasts')).body.items.map((each: { name: string }) => each.name)
  t.notOk((await named()).includes('July'))
  await page.check('[name=skipInvalid]')
  await page.click('button.danger')
  await page.waitForURL(/\/console\/broadcasts\/brd_/)
  t.match(await page.locator('.lead').innerText(), 'July')
  t.ok((await named()).includes('July'))
  await page.locator('[data-copy]').first().click()
  t.equal(await page.locator('[data-copy]').first().innerText(), 'Copied')
})
