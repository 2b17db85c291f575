import t from 'tap'
import { Agent, FormData, request } from 'undici'
import { phone, table } from '../broadcasts/order.ts'
import { formOf, signedIn, wordsOf } from '../console.ts'
import { startBoard } from '../helper.ts'

// A broadcast from a table on the operator's page: its hours and whom it leaves out are said before and after it is accepted.

t.test('the window is taken, refused by its member, and shown; so is how many are suppressed', async t => {
  const board = await startBoard(t)
  await board.call('POST', '/suppressions', { body: { category: 'all', to: phone(1) } })
  const one = await signedIn(board)
  const path = '/console/broadcasts/new'
  // The global one belongs to whichever undici a process loaded first, and hangs on a form of another.
  const dispatcher = new Agent()
  t.teardown(() => dispatcher.destroy())
  const post = async (fields: Record<string, string>, file?: string) => {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) form.set(name, value)
    if (file !== undefined) form.set('file', new Blob([file]), 'people.csv')
    const headers = { cookie: one.cookie(), origin: board.url }
    const answer = await request(board.url + path, { method: 'POST', headers, body: form, dispatcher })
    return { status: answer.statusCode, text: await answer.body.text(), location: String(answer.headers.location) }
  }
  const empty = formOf((await one.get(path)).text)
  t.match(empty.fields, { windowFrom: '', windowTo: '', windowZone: '' })
  const filled = { ...empty.fields, channel: 'cloud', name: 'July', template: 'order_update', language: 'en_US' }
  const hours = {
    windowFrom: '09:00',
    windowTo: '20:00',
    windowZone: 'Europe/Berlin',
    'window-sun': 'yes',
    'window-mon': 'yes'
  }

  for (const [wrong, member] of [
    [{ windowFrom: '09:00' }, 'timeZone'],
    [{ 'window-fri': 'yes' }, 'timeZone'],
    [{ ...hours, windowZone: 'Mars' }, 'timeZone'],
    [{ ...hours, windowTo: 'late' }, 'to']
  ] as const) {
    const refused = await post({ ...filled, ...wrong }, table(3))
    t.equal(refused.status, 400)
    t.match(wordsOf(refused.text), new RegExp(`/window/${member}|/window.*${member}`), member)
    t.match(formOf(refused.text).fields, wrong, 'what was filled in is still there')
  }
  const checked = await post({ ...filled, ...hours }, table(3))
  t.match(
    wordsOf(checked.text),
    /1 suppressed: left out, they must not be messaged Window 09:00–20:00, Europe\/Berlin, mon sun/
  )
  t.match(formOf(checked.text).fields, hours, 'they travel on')
  const accepted = await post(formOf(checked.text).fields)
  t.equal(accepted.status, 303, wordsOf(accepted.text))
  const id = accepted.location.split('/').at(-1)!
  const { body } = await board.call('GET', `/broadcasts/${id}`)
  t.match(body, {
    suppressed: 1,
    window: { from: '09:00', to: '20:00', timeZone: 'Europe/Berlin', days: ['mon', 'sun'] }
  })
  const shown = wordsOf((await one.get(accepted.location)).text)
  t.match(shown, /Suppressed 1 who must not be messaged; among failed Window 09:00–20:00, Europe\/Berlin, mon sun/)

  const plain = await post(formOf((await post(filled, table(1))).text).fields)
  const other = (await board.call('GET', `/broadcasts/${plain.location.split('/').at(-1)}`)).body
  t.notOk('window' in other, 'CONTROL: none was asked for')
  t.match(wordsOf((await one.get(plain.location)).text), /Suppressed 0 Window none/)
})
