import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { order } from './broadcasts/order.ts'
import { browser, open, skip } from './browser.ts'
import { adminKey, type Board, startBoard } from './helper.ts'

// The operator's page in Debian's own browser: every view wide and narrow, held against axe, with text in every field that
// would run if it were taken for anything but text. SCREENSHOTS names a folder in which each view is kept as a picture.

t.setTimeout(900_000)

const corpus = `"><img src=x onerror="window.ran=1"><script>window.ran=1</script>{{7*7}}<%= 7*7 %>' hx-on:load='window.ran=1`
const unreadable = '15550100017'
const axe = readFileSync('node_modules/axe-core/axe.min.js', 'utf8')
const folder = process.env.SCREENSHOTS

interface Seed {
  board: Board
  ids: { message: string; unknown: string; failed: string; broadcast: string; key: string; connection: string }
}

const text = (to: string, more: Record<string, unknown> = {}) => ({
  ...{ channel: 'cloud', to, type: 'text', text: { body: `Hello ${corpus}` }, reference: corpus.slice(0, 120) },
  metadata: { note: corpus },
  ...more
})

/** A board on which something has happened, with the corpus wherever somebody else's text can stand. */
async function seeded(t: Test): Promise<Seed> {
  const board = await startBoard(t)
  const send = async (body: unknown) => (await board.call('POST', '/messages', { body })).body
  const message = (await send(text('14155550001'))).id
  const unknown = (await send(text(unreadable))).id
  for (const to of ['15550100005', '15550100003', '15550100004']) await send(text(to))
  const { body: failures } = await board.call('GET', '/messages?status=failed')
  await board.call('POST', '/channels/wati/pause')
  await send(text('14155550002', { channel: 'wati' }))
  const body = order(3, { channel: 'wati', name: `May ${corpus}`.slice(0, 200) })
  const made = await board.call('POST', '/broadcasts', { body })
  const slow = order(40, { name: 'June', ratePerSecond: 1 })
  const broadcast = (await board.call('POST', '/broadcasts', { body: slow })).body.id ?? made.body.id
  const key = (
    await board.call('POST', '/keys', {
      body: { service: 'billing', name: corpus.slice(0, 100), mode: 'live', scopes: ['messages:send'] }
    })
  ).body.id
  const connection = (await board.call('POST', '/connections', { body: { provider: 'wati' } })).body.id
  return { board, ids: { message, unknown, failed: failures.items[0]?.id ?? message, broadcast, key, connection } }
}

async function signIn(page: Page, origin: string, key = adminKey): Promise<void> {
  await page.goto(`${origin}/console/sign-in`)
  await page.fill('#key', key)
  await Promise.all([page.waitForURL(`${origin}/console`), page.press('#key', 'Enter')])
}

const pathsOf = ({ ids }: Seed): Record<string, string> => ({
  overview: '',
  backlog: '/backlog',
  messages: '/messages',
  message: `/messages/${ids.message}`,
  'message-unknown': `/messages/${ids.unknown}`,
  'message-failed': `/messages/${ids.failed}`,
  unknown: '/unknown',
  'unknown-resolve': '/unknown/resolve?channel=cloud',
  'message-resolve': `/messages/${ids.unknown}/resolve`,
  broadcasts: '/broadcasts',
  broadcast: `/broadcasts/${ids.broadcast}`,
  'broadcast-new': '/broadcasts/new',
  'broadcast-cancel': `/broadcasts/${ids.broadcast}/cancel`,
  channels: '/channels',
  channel: '/channels/cloud',
  'channel-pause': '/channels/cloud/pause',
  connection: `/connections/${ids.connection}`,
  templates: '/templates?channel=cloud',
  template: '/templates/order_update?channel=cloud',
  keys: '/keys',
  key: `/keys/${ids.key}`,
  'key-new': '/keys/new',
  'key-rotate': `/keys/${ids.key}/rotate`,
  audit: '/audit',
  test: '/test',
  missing: '/nothing'
})

interface AxeResult {
  violations: { id: string; impact: string; nodes: { html: string }[] }[]
}

async function look(t: Test, page: Page, address: string, name: string, width: number): Promise<void> {
  await page.setViewportSize({ width, height: 900 })
  await page.goto(address)
  await page.evaluate(axe)
  const result = (await page.evaluate('axe.run(document)')) as AxeResult
  const serious = result.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  t.strictSame(
    serious.map(({ id, nodes }) => `${id}: ${nodes[0]!.html.slice(0, 200)}`),
    [],
    `${name} at ${width}: nothing serious`
  )
  t.equal(await page.evaluate('window.ran'), undefined, `${name}: nothing from outside has run`)
  const wide = (await page.evaluate('document.documentElement.scrollWidth')) as number
  t.ok(wide <= width, `${name} at ${width}: ${wide} pixels wide`)
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}-${width}.png`), fullPage: true })
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
