import type { Locator, Page } from 'playwright-core'
import t from 'tap'
import { messageTypes } from '../schemas/content.ts'
import { authorize, browser, name, open, ready, sendExamples, skip } from './browser.ts'

// What a newcomer does first: opens /docs, pastes the key, sends each example. In Debian's own browser.

t.setTimeout(900_000)

/** Calls of functions until the list is there: 1.7 million; 21.5 with the same document as OpenAPI 3.1 and read as YAML. */
const mostCalls = 3_000_000

t.test(
  'each message example is sent from the page with two clicks, on localhost and under a plain name',
  { skip },
  async t => {
    const { board, key } = await ready(t)
    const context = await browser(t)
    await sendExamples(t, context, { origin: board.url, key, types: messageTypes })
    const plain = `http://${name}:${new URL(board.url).port}`
    await sendExamples(t, context, { origin: plain, key, types: ['text', 'template'] })
  }
)

/** An operation opened on the page. */
async function opened(page: Page, id: string): Promise<Locator> {
  const block = page.locator(id)
  await block.locator('.opblock-summary-control').dispatchEvent('click')
  await block.locator('.responses-table .response').last().waitFor()
  return block
}

t.test('the list is made with little work, and an operation is less than three screens high', { skip }, async t => {
  const { board } = await ready(t)
  const { page, faults } = await open(await browser(t))
  await page.setViewportSize({ width: 1280, height: 800 })
  const session = await page.context().newCDPSession(page)
  await session.send('Profiler.enable')
  await session.send('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
  await page.goto(`${board.url}/docs/`)
  await page.locator('#operations-Messages-sendMessage').waitFor()
  const { result } = await session.send('Profiler.takePreciseCoverage')
  await session.send('Profiler.stopPreciseCoverage')
  // Calls and not seconds: they are the same on a busy machine.
  const calls = result.flatMap(({ functions }) => functions).reduce((sum, { ranges }) => sum + ranges[0]!.count, 0)
  t.ok(calls < mostCalls, `${calls} calls`)
  const send = await opened(page, '#operations-Messages-sendMessage')
  const { height } = (await send.boundingBox())!
  t.ok(height < 3 * 800, `${height} pixels`)
  const body = send.locator('.opblock-section-request-body')
  await body.locator('.tablinks', { hasText: 'Schema' }).first().dispatchEvent('click')
  await body.locator('.model-box').first().waitFor()
  const choices = await body.innerText()
  t.match(choices, /oneOf[\s\S]*Text message[\s\S]*Image message/)
  t.notMatch(choices, /#0|object \| object/, 'no choice is nameless')
  t.strictSame(faults, [])
})

t.test('all operations stand in the list, ready to be opened as they come near the window', { skip }, async t => {
  const { board } = await ready(t)
  const { page, faults } = await open(await browser(t))
  await page.setViewportSize({ width: 1280, height: 800 })
  const { paths } = (await (await fetch(`${board.url}/docs/json`)).json()) as { paths: Record<string, object> }
  const wanted = Object.values(paths).flatMap(path => Object.values(path) as { tags: string[]; operationId: string }[])
  const ids = wanted.map(({ tags: [tag], operationId }) => `operations-${tag}-${operationId}`).sort()
  const { tags, operationId } = wanted.find(({ operationId }) => operationId === 'rotateSubscription')!
  const far = `#operations-${tags[0]}-${operationId}`
  const listed = () => page.locator('.opblock').evaluateAll(blocks => blocks.map(({ id }) => id).sort())
  const made = () => page.locator('.opblock-control-arrow').count()

  await page.goto(`${board.url}/docs/`)
  await page.locator('.opblock-control-arrow').first().waitFor()
  t.strictSame(await listed(), ids, 'each can be found on the page, by a look or by a search')
  t.ok((await made()) < ids.length / 2, `${await made()} are more than lines of text`)
  const line = (await page.locator(far).boundingBox())!
  await page.locator(far).scrollIntoViewIfNeeded()
  await page.locator(`${far} .opblock-control-arrow`).waitFor()
  t.strictSame((await page.locator(far).boundingBox())!.height, line.height, 'nothing moves when it is made')
  t.strictSame(await listed(), ids)

  await page.reload()
  await page.locator(`${far} .opblock-summary-control`).dispatchEvent('click')
  await page.locator(`${far}.is-open .responses-table`).waitFor()
  t.pass('a click on a line opens it')
  await page.goto('about:blank')
  await page.goto(`${board.url}/docs/#/${tags[0]}/${operationId}`)
  await page.locator(`${far}.is-open .responses-table`).waitFor()
  t.pass('so does its address')
  t.strictSame(faults, [])
})

t.test('a form invents nothing, and a table goes out from the page', { skip }, async t => {
  const { board } = await ready(t)
  const key = await board.key({ service: 'demo', mode: 'test', scopes: ['broadcasts:read', 'broadcasts:write'] })
  const { page, faults } = await open(await browser(t))
  await page.goto(`${board.url}/docs/`)
  await authorize(page, key)
  const form = await opened(page, '#operations-Broadcasts-createBroadcast')
  await form.locator('.opblock-section-request-body .content-type').first().selectOption('multipart/form-data')
  await form.locator('input[type=file]').setInputFiles({
    name: 'people.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from('phone;name;ordernumber\r\n14155551234;Ada;1\r\n')
  })
  const answered = page.waitForResponse(response => response.url() === `${board.url}/broadcasts`)
  await form.locator('.btn.execute').dispatchEvent('click')
  const answer = await answered
  t.equal(answer.status(), 202, await answer.text())
  const { id } = await answer.json()
  const { body } = await board.call('GET', `/broadcasts/${id}`, { key })
  t.match(body, { name: 'Orders of May', total: 1 })
  t.strictSame([body.startAt, body.ratePerSecond], [undefined, undefined], 'neither a time nor a pace')
  t.strictSame(faults, [])
  t.strictSame(await page.evaluate('Object.keys(localStorage)'), [], 'the browser keeps no key')
  await page.reload()
  await page.locator('.auth-wrapper .btn.authorize.unlocked').waitFor()
})

t.test('the catalogue of events is shown beside what asks for them, each with its example', { skip }, async t => {
  const { board } = await ready(t)
  const { page } = await open(await browser(t))
  const shown = (await (await fetch(`${board.url}/docs/json`)).json()) as { paths: Record<string, object> }
  const asks = Object.values(shown.paths)
    .flatMap(path => Object.values(path) as { operationId: string; callbacks?: object }[])
    .find(({ callbacks }) => callbacks)!
  t.ok(Object.keys(asks.callbacks!).length >= 19)
  await page.goto(`${board.url}/docs`)
  const operation = page.locator(`.opblock[id$="-${asks.operationId}"]`)
  await operation.waitFor()
  await operation.locator('.opblock-summary').first().click()
  await operation.locator('text=Callbacks').first().click()
  const one = operation.locator('.callbacks-container .opblock', { hasText: 'A message reached the phone' }).first()
  await one.waitFor()
  await one.locator('.opblock-summary').first().click()
  await one.locator('text=message.delivered').first().waitFor()
})
