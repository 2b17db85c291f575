import t from 'tap'
import { cloudSettings, startBoard } from '../helper.ts'
import { until } from '../until.ts'

// What callers see of a person who was erased (docs/api.md 6); what the store still holds is in test/conformance/store-erase.ts.

const to = '4915112345678'

t.test('an erased message is answered by the document, and a repeated request sends nothing', async t => {
  const board = await startBoard(t)
  const { call, sandbox } = board
  const body = { channel: 'cloud', to, type: 'text', text: { body: 'a secret of theirs' }, metadata: { note: 'mine' } }
  const send = () => call('POST', '/messages', { body, headers: { 'idempotency-key': 'once' } })
  const first = await send()
  t.equal(first.status, 201)
  const contact = { channel: 'cloud', phone: `+${to}`, name: 'Ada' }
  const write = () => call('POST', '/contacts', { body: contact, headers: { 'idempotency-key': 'twice' } })
  t.equal((await write()).status, 201)
  const path = `/messages/${first.body.id}`
  t.match((await call('GET', path)).body, { to }, 'CONTROL: it is there')

  t.equal((await call('DELETE', `/contacts/${to}/data`)).status, 204)
  const { status, body: left } = await call('GET', path)
  t.equal(status, 200)
  t.match(left, { id: first.body.id, type: 'text', status: first.body.status, metadata: null, providerMessageId: null })
  for (const name of ['to', 'text', 'recipient']) t.notOk(name in left, name)
  const { body: list } = await call('GET', '/messages?channel=cloud')
  const { body: timeline } = await call('GET', `${path}/timeline`)
  t.notMatch(JSON.stringify([left, list, timeline]), /4915112345678|secret|mine/)

  const again = await send()
  t.match(again, { status: 201, body: { id: first.body.id } }, 'the repeated request is still the one that was made')
  t.notMatch(JSON.stringify(again.body), /4915112345678|secret/)
  t.equal(sandbox.ledger.sends().length, 1)
  t.equal((await write()).status, 201, 'a contact is made anew, and is no answer of before')
  t.equal((await call('GET', `/contacts/${to}?channel=cloud`)).status, 200)
})

t.test('what a provider has told of a person and nobody has read yet does not bring the person back', async t => {
  const { call, board } = await startBoard(t)
  const door = (await board.app.door.pathOf('cloud', 'live'))!
  const metadata = { display_phone_number: '1', phone_number_id: cloudSettings.phoneNumberId }
  const tell = (id: string, from: string) => {
    const messages = [{ id, from, timestamp: '1795774460', type: 'text', text: { body: 'a word of theirs' } }]
    const change = { field: 'messages', value: { messaging_product: 'whatsapp', metadata, messages } }
    const entry = [{ id: cloudSettings.businessAccountId, changes: [change] }]
    return call('POST', door, { key: '', body: { object: 'whatsapp_business_account', entry } })
  }
  const inbound = async () => (await call('GET', '/messages?direction=inbound')).body.items as { from: string | null }[]
  for (let i = 0; i < 5; i++) {
    t.equal((await tell(`wamid.${i}`, to)).status, 200)
    t.equal((await call('DELETE', `/contacts/${to}/data`)).status, 204)
    t.equal((await tell(`wamid.other.${i}`, '4915199999999')).status, 200)
    // What came after it has been read, so that it has been as well.
    const items = await until(inbound, some => some.length === 2 * (i + 1))
    t.notMatch(JSON.stringify(items), new RegExp(to), 'it was read first, and erased then')
  }
})
