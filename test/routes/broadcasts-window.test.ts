import t from 'tap'
import { form, formType, order } from '../broadcasts/order.ts'
import { cloudSettings, startBoard, until } from '../helper.ts'

// Quiet hours of a broadcast (docs/broadcasts.md). The hours here are told from now; the arithmetic is in test/quiet-hours.

const hour = 3600_000
/** So many hours from now, in UTC. */
const inHours = (hours: number) => new Date(Date.now() + hours * hour).toISOString().slice(11, 16)
const closed = { from: inHours(3), to: inHours(6), timeZone: 'UTC' }
const open = { from: inHours(-6), to: inHours(6), timeZone: 'UTC' }

t.test('outside its window a broadcast waits, and tells until when; inside it goes', async t => {
  const board = await startBoard(t)
  const { call, sandbox } = board
  const made = await call('POST', '/broadcasts', { body: order(20, { window: closed, ratePerSecond: 2 }) })
  t.match(made, { status: 202, body: { status: 'running', window: closed, counts: { queued: 20 } } })
  const opens = Date.parse(made.body.waitsUntil)
  t.equal(made.body.waitsUntil.slice(11, 16), closed.from)
  t.ok(opens > Date.now() + 2 * hour && opens < Date.now() + 4 * hour)
  const untilOpen = (opens - Date.now()) / 1000
  t.ok(
    Math.abs(made.body.etaSeconds - untilOpen - 10) < 5,
    `${made.body.etaSeconds} s: until it opens, and ten for twenty`
  )
  const at = `/broadcasts/${made.body.id}`
  const { items } = (await call('GET', `${at}/messages`)).body
  t.ok(
    items.every((each: { expiresAt: string }) => Date.parse(each.expiresAt) >= opens + 24 * hour),
    'nothing expires because of it'
  )
  t.match(await call('POST', `${at}/pause`), { status: 200, body: { status: 'paused' } })
  t.match(await call('POST', `${at}/resume`), {
    status: 200,
    body: { status: 'running', waitsUntil: made.body.waitsUntil }
  })
  const other = await call('POST', '/broadcasts', { body: order(3, { window: open, name: 'June' }) })
  const done = await until(
    () => call('GET', `/broadcasts/${other.body.id}`),
    ({ body }) => body.finishedAt !== undefined
  )
  t.match(done.body, { counts: { accepted: 3 }, window: open }, 'CONTROL: an open one')
  t.notOk('waitsUntil' in done.body)
  t.equal(sandbox.ledger.sends().length, 3, 'and nothing of the closed one')
  t.match(await call('POST', `${at}/cancel`), { status: 200, body: { status: 'canceled' } })
  await until(
    () => call('GET', at),
    ({ body }) => body.counts.canceled === 20
  )
})

t.test('the window of a channel holds for broadcasts that name none; messages know none', async t => {
  const board = await startBoard(t)
  const { call } = board
  const set = (broadcastWindow: object) =>
    call('PATCH', '/channels/cloud', { body: { settings: { ...cloudSettings, broadcastWindow } } })
  t.match(await set({ ...closed, timeZone: 'Mars' }), {
    status: 400,
    body: { errors: [{ path: '/settings/broadcastWindow/timeZone' }] }
  })
  t.match(await set({ from: '9:00', to: '20:00', timeZone: 'UTC' }), { status: 400 })
  t.match(await set(closed), { status: 200, body: { settings: { broadcastWindow: closed } } })
  t.match(await call('POST', '/broadcasts', { body: order(2) }), {
    status: 202,
    body: { window: closed, waitsUntil: /Z$/ }
  })
  const own = await call('POST', '/broadcasts', { body: order(2, { window: open }) })
  t.match(own, { status: 202, body: { window: open } }, 'its own goes before')
  const message = { channel: 'cloud', to: '4915100000001', type: 'text', text: { body: 'Hello' } }
  t.match(await call('POST', '/messages', { body: message }), { status: 201 })
})

t.test('in the recipient’s time each waits for the own morning; where nobody can say, the row is at fault', async t => {
  const board = await startBoard(t)
  const { call } = board
  const people = ['4915100000001', '819012345678', '870123456789', '14155550101']
  const recipients = people.map((to, i) => ({ ...order(1).recipients[0], to, reference: `r${i}` }))
  const window = { from: '09:00', to: '12:00', timeZone: 'recipient' }
  const body = order(0, { window, recipients, startAt: '2027-01-07T23:00:00Z' })
  const refused = await call('POST', '/broadcasts', { body })
  t.match(refused, {
    status: 400,
    body: {
      errors: [
        { path: '/recipients/2/to', message: /no country/ },
        { path: '/recipients/3/to', message: /many time zones/ }
      ]
    }
  })
  const made = await call('POST', '/broadcasts?skipInvalid=true', { body })
  t.match(made, { status: 202, body: { total: 2, skipped: 2, window } })
  const { items } = (await call('GET', `/broadcasts/${made.body.id}/messages`)).body
  const expires = Object.fromEntries(items.map(({ to, expiresAt }: Record<string, string>) => [to, expiresAt]))
  // A day after the opening: nine in Tokyo is midnight in UTC, nine in Berlin is eight.
  t.strictSame(expires, { '4915100000001': '2027-01-09T08:00:00.000Z', '819012345678': '2027-01-09T00:00:00.000Z' })
})

t.test('a window is read from a form too, and a faulty one is a fault of its member', async t => {
  const board = await startBoard(t)
  const { call } = board
  const fields = { channel: 'cloud', name: 'May', template: JSON.stringify(order(0).template) }
  const table = 'phone,name,ordernumber\r\n4915100000001,Ada,1\r\n'
  const upload = (window: string) =>
    call('POST', '/broadcasts', { body: form({ ...fields, window }, table), headers: formType })
  t.match(await upload(JSON.stringify(closed)), { status: 202, body: { window: closed, waitsUntil: /Z$/ } })
  t.match(await upload('nine to five'), { status: 400, body: { errors: [{ path: '/window' }] } })
  for (const [wrong, path] of [
    [{ ...closed, from: '24:00' }, '/window/from'],
    [{ ...closed, to: closed.from }, '/window/to'],
    [{ ...closed, days: [] }, '/window/days'],
    [{ ...closed, days: ['someday'] }, '/window/days/0'],
    [{ ...closed, timeZone: 'Europe/Atlantis' }, '/window/timeZone']
  ] as const)
    t.match(await upload(JSON.stringify(wrong)), { status: 400, body: { errors: [{ path }] } }, JSON.stringify(wrong))
})
