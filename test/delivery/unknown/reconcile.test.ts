import t from 'tap'
import { openStore } from '../../../src/store/index.ts'
import { message, put } from '../../conformance/store-rows.ts'
import { type Board, startBoard } from '../../helper.ts'
import { log } from '../../store/embedded.ts'

// POST /messages/{id}/reconcile: what WATI's history proves, and that nothing less than that is believed.

const to = '14155550099'
const text = (body: string, number = to) => ({ channel: 'wati', to: number, type: 'text', text: { body } })
const fail = (board: Board, fault: string, recipient = to) => board.sandbox.force({ recipient, fault, times: 1 })
const send = (board: Board, body: unknown) => board.call('POST', '/messages', { body })
/** Sends it, and the answer is lost: after the provider took it, or before. */
const lose = async (board: Board, body: unknown, taken = true): Promise<string> => {
  fail(board, taken ? 'bad_gateway_html' : 'reset_before')
  const answer = await send(board, body)
  if (answer.body.status !== 'unknown') throw new Error(answer.text)
  return answer.body.id
}
const reconcile = (board: Board, id: string) => board.call('POST', `/messages/${id}/reconcile`)
const lastWord = async (board: Board, id: string): Promise<string> =>
  (await board.call('GET', `/messages/${id}/timeline`)).body.items.at(-1).detail
const said = async (board: Board): Promise<{ providerMessageId: string }[]> =>
  (await board.call('GET', `/contacts/${to}/messages?channel=wati`)).body.items
const template = (name: string, variables: Record<string, string>) => ({
  channel: 'wati',
  to,
  type: 'template',
  template: { name, language: 'en_US', variables }
})
const order = (number: string) => template('order_update', { name: 'Ada', ordernumber: number })
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64'
)
const picture = async (board: Board, more = {}) => {
  const form = new FormData()
  form.set('channel', 'wati')
  form.set('file', new Blob([png], { type: 'image/png' }), 'a.png')
  const made = new Response(form)
  const media = await board.call('POST', '/media', {
    body: Buffer.from(await made.arrayBuffer()),
    headers: { 'content-type': made.headers.get('content-type')! }
  })
  return { channel: 'wati', to, type: 'image', image: { mediaId: media.body.id, ...more } }
}

t.test('a text that stands in the history once was sent', async t => {
  const board = await startBoard(t)
  const id = await lose(board, text('Where are you?'))
  const done = await reconcile(board, id)
  t.match(done, { status: 200, body: { id, status: 'accepted', final: false, resolution: 'reconciled' } })
  const [item] = await said(board)
  t.equal(done.body.providerMessageId, item!.providerMessageId)
  t.notOk(done.body.error)
  t.match(await lastWord(board, id), /evidence: heuristic/)
  t.match(await reconcile(board, id), { status: 409, body: { detail: /is accepted/ } }, 'once')
})

t.test('a text that was never taken is not found, and stays unknown', async t => {
  const board = await startBoard(t)
  const id = await lose(board, text('Where are you?'), false)
  t.match(await reconcile(board, id), { status: 200, body: { status: 'unknown', final: false } })
  t.match(await lastWord(board, id), /nothing says the same/)
  await send(board, text('Something else'))
  t.match((await reconcile(board, id)).body, { status: 'unknown' }, 'other words are not it')
})

t.test('two items that say the same prove nothing', async t => {
  const board = await startBoard(t)
  const first = await lose(board, text('Hello'))
  const second = await lose(board, text('Hello'))
  for (const id of [first, second]) {
    t.match((await reconcile(board, id)).body, { status: 'unknown' })
    t.match(await lastWord(board, id), /2 items say the same/)
  }
  const other = await lose(board, text('Goodbye'))
  t.match((await reconcile(board, other)).body, { status: 'accepted' }, 'CONTROL: of other words it is found')
})

t.test('an item that is another message of ours by its id is not taken for this one', async t => {
  const board = await startBoard(t)
  t.equal((await send(board, text('Hello'))).status, 201)
  const id = await lose(board, text('Hello'), false)
  t.match((await reconcile(board, id)).body, { status: 'unknown' })
  t.match(await lastWord(board, id), /nothing says the same/)
  t.equal((await said(board)).length, 1, 'CONTROL: one item says the same, and without its owner it would be taken')
})

t.test('an item that may be another unknown message of ours as well is not taken for this one', async t => {
  const board = await startBoard(t)
  const taken = await lose(board, text('Hello'))
  const never = await lose(board, text('Hello'), false)
  for (const [id, other] of [
    [taken, never],
    [never, taken]
  ] as const) {
    t.match((await reconcile(board, id)).body, { status: 'unknown' })
    t.match(await lastWord(board, id), `may be ${other} as well`)
  }
  await board.call('POST', `/messages/${never}/resolve`, { body: { verdict: 'abandon' } })
  t.match((await reconcile(board, taken)).body, { status: 'unknown' }, 'an abandoned one may have been it all the same')
})

t.test('a template is known by its words', async t => {
  const board = await startBoard(t)
  const id = await lose(board, order('12345'))
  t.match((await reconcile(board, id)).body, { status: 'accepted', resolution: 'reconciled' })
  const never = await lose(board, order('777'), false)
  t.match((await reconcile(board, never)).body, { status: 'unknown' })

  t.equal((await send(board, order('888'))).status, 201)
  const twin = await lose(board, order('888'), false)
  t.match((await reconcile(board, twin)).body, { status: 'unknown' }, 'the item is the accepted one’s, by whatever id')
})

t.test('a file is known by its words, and without any it is not', async t => {
  const board = await startBoard(t)
  const id = await lose(board, await picture(board, { caption: 'Your parcel' }))
  t.match((await reconcile(board, id)).body, { status: 'accepted' })
  const silent = await lose(board, await picture(board))
  t.match((await reconcile(board, silent)).body, { status: 'unknown' })
  t.match(await lastWord(board, silent), /without words cannot be told from another/)
})

t.test('buttons and lists are known by their words', async t => {
  const board = await startBoard(t)
  const buttons = { channel: 'wati', to, type: 'buttons', buttons: { body: 'Now?', buttons: [{ title: 'Yes' }] } }
  const id = await lose(board, buttons)
  t.match((await reconcile(board, id)).body, { status: 'accepted' })
  const never = await lose(board, { ...buttons, buttons: { ...buttons.buttons, body: 'Or later?' } }, false)
  await send(board, text('Or later?'))
  t.match((await reconcile(board, never)).body, { status: 'unknown' }, 'a plain text of the same words is not it')
})

t.test('what was said at another time is not it', async t => {
  const board = await startBoard(t)
  t.equal((await send(board, text('Hello'))).status, 201)
  await board.close()
  const store = await openStore({ directory: board.directory }, log)
  const of = (at: number) => {
    const lines = [
      { at, status: 'sending', attempt: 1 },
      { at: at + 500, status: 'unknown', attempt: 1 }
    ]
    const timeline = lines.map(line => `${JSON.stringify(line)}\n`).join('')
    const row = { service: 'admin', channel_id: 'wati', contact: to, state: 'unknown', attempts: 1, timeline } as const
    return put(store, message({ ...row, content: '{"body":"Hello"}' }))
  }
  const early = await of(Date.now() - 10 * 60_000)
  const near = await of(Date.now() - 30_000)
  await store.write(function* () {
    yield store.build.deleteFrom('messages').where('id', 'not in', [early.id, near.id]).compile()
  })
  await store.close()
  const again = await startBoard(t, { directory: board.directory, sandbox: board.sandbox })
  t.match((await reconcile(again, early.id)).body, { status: 'unknown' })
  t.match((await reconcile(again, near.id)).body, { status: 'accepted' }, 'CONTROL: within a minute it is')
})

t.test('a history that cannot be read leaves the message as it is', async t => {
  const board = await startBoard(t)
  const id = await lose(board, text('Hello'))
  board.sandbox.force({ operation: 'wati.getMessages', fault: 'bad_gateway_html', times: 1 })
  const answer = await reconcile(board, id)
  t.ok(answer.status >= 500 && answer.body.code, answer.text)
  t.match((await board.call('GET', `/messages/${id}`)).body, { status: 'unknown', final: false })
  t.match((await reconcile(board, id)).body, { status: 'accepted' })
})

t.test('the Cloud API has nothing to look at: the message is as it was, and its timeline says so', async t => {
  const board = await startBoard(t)
  const id = await lose(board, { ...text('Hello'), channel: 'cloud' })
  const calls = board.sandbox.ledger.entries.length
  t.match(await reconcile(board, id), { status: 200, body: { status: 'unknown', final: false } })
  t.match(await lastWord(board, id), /only its webhook can tell/)
  t.equal(board.sandbox.ledger.entries.length, calls)
})
