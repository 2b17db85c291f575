import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import t from 'tap'
import { args, executablePath, open, skip } from './browser.ts'
import { pathsOf, seeded, signIn } from './console-seed.ts'

// The operator's page where no script runs: in by the form, every view, and an act by its form.

t.setTimeout(600_000)

t.test('without JavaScript somebody signs in, sees every view, and pauses a channel', { skip }, async t => {
  const seed = await seeded(t)
  const { board } = seed
  const profile = mkdtempSync(join(tmpdir(), 'switchboard-browser-'))
  const settings = { executablePath, args, headless: true, viewport: { width: 800, height: 600 } }
  const context = await chromium.launchPersistentContext(profile, { ...settings, javaScriptEnabled: false })
  t.teardown(async () => {
    await context.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  })
  const { page } = await open(context)
  const at = (path: string) => `${board.url}/console${path}`
  await signIn(page, board.url)
  for (const [name, path] of Object.entries(pathsOf(seed))) {
    const answer = await page.goto(at(path))
    t.equal(answer!.status(), name === 'missing' ? 404 : 200, name)
    t.ok((await page.locator('main h1').innerText()).length > 0, `${name}: it has a title`)
    if (name !== 'missing') t.ok((await page.locator('nav a').count()) > 10, `${name}: and leads on`)
    // What only a script can do is not offered.
    t.equal(await page.locator('#live-pause:visible, [data-copy]:visible').count(), 0, name)
  }
  await page.setContent('<p id="said">none</p><script>document.getElementById("said").textContent = "ran"</script>')
  t.equal(await page.locator('#said').innerText(), 'none', 'POSITIVE CONTROL: no script runs')

  await page.goto(at('/channels/cloud'))
  await page.locator('a.button', { hasText: 'Pause' }).first().click()
  await page.locator('form.form button.danger, form.form button.main').first().click()
  await page.locator('.notice.good').waitFor()
  const { body } = await board.call('GET', '/channels/cloud')
  t.equal(body.paused, true)
  await page.goto(at('/keys'))
  await page.fill('[name=name]', 'no key has this name')
  await page.locator('form.filter button').click()
  t.match(await page.locator('main').innerText(), 'No key fits.', 'a list is filtered')
})
