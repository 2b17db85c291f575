import t from 'tap'
import { browser, open, ready, sendExamples, skip } from './browser.ts'
import { until } from './helper.ts'

// One look at the page of the API in Debian's own browser; all examples of it: docs.browser.long.test.ts.

t.setTimeout(300_000)

t.test('an example is sent from the page with two clicks', { skip }, async t => {
  const { board, key } = await ready(t)
  const context = await browser(t)
  await sendExamples(t, context, { origin: board.url, key, types: ['text'] })

  // POSITIVE CONTROL: an error, a violation and a stranger are seen.
  const { page, faults } = await open(context)
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
