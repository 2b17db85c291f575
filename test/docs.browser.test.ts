import t from 'tap'
import { browser, open, ready, sendExamples, skip } from './browser.ts'
import { until } from './helper.ts'

// One look at the page of the API in Debian's own browser; all examples of it: docs.browser.long.test.ts.

t.setTimeout(300_000)

t.test('an example is sent from the page with two clicks', { skip }, async t => {
  const { board, key } = await ready(t)
  await sendExamples(t, await browser(t), { origin: board.url, key, types: ['text'] })
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
