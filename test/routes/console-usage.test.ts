import t from 'tap'
import { signedIn, wordsOf } from '../console.ts'
import { startBoard } from '../helper.ts'
import { until } from '../until.ts'

// Who used what, on the operator's page: the figures, filters and command of GET /usage.

const text = (to: string) => ({ channel: 'cloud', to, type: 'text', text: { body: 'Hello' } })
const rowsOf = (html: string) =>
  [...html.matchAll(/<tr>[\s\S]*?<\/tr>/g)].map(([row]) => wordsOf(row)).filter(row => !row.startsWith('service '))

t.test('usage is shown as the API tells it, filtered, with the command that does the same', async t => {
  const board = await startBoard(t)
  for (const service of ['shop', 'billing']) {
    const key = await board.key({ service, scopes: ['messages:send'] })
    for (const to of ['14155550001', '14155550002'].slice(0, service === 'shop' ? 2 : 1))
      t.equal((await board.call('POST', '/messages', { key, body: text(to) })).status, 201)
  }
  const recipients = async (service: string) =>
    (await board.call('GET', `/usage?by=service&service=${service}`)).body.items[0]?.recipients
  await until(
    () => recipients('shop'),
    found => found === 2
  )
  const one = await signedIn(board)
  const page = (await one.get('/console/usage?by=service')).text
  t.match(rowsOf(page), [/^admin \d+ 0 0$/, /^billing 1 1 1$/, /^shop 2 2 2$/])
  t.match(page, /curl [^\n]*\/usage\?by=service&amp;mode=live/)
  const filtered = (await one.get('/console/usage?by=service&service=shop&channel=cloud')).text
  t.match(rowsOf(filtered), [/^shop – 2 /], 'calls are not counted by channel')
  t.equal(rowsOf(filtered).length, 1)
  t.match(filtered, /<option selected>cloud<\/option>/)
  t.match(wordsOf((await one.get('/console/usage?mode=test')).text), 'Nothing was used in these days.')
  const wrong = await one.get('/console/usage?from=yesterday')
  t.equal(wrong.status, 400)
  const only = await signedIn(board, await board.key({ service: 'night', scopes: ['read_all', 'channels:read'] }))
  t.equal((await only.get('/console/usage')).status, 403, 'the API has the say')
})
