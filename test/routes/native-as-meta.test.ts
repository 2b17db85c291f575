import t from 'tap'
import { startFrontedBoard } from '../front.ts'
import { type Board, startBoard } from '../helper.ts'
import type { Answer } from '../upstream/stub.ts'

const number = '106540352242922'
const to = '14155551234'
const native = (board: Board, path: string, body?: object, method = 'POST') =>
  board.call(method, `/channels/cloud/native/${path}`, body ? { body } : {})
const message = (type: string, content: object, more: object = { to: `+${to}` }) => ({
  messaging_product: 'whatsapp',
  ...more,
  type,
  [type]: content
})

t.test('a slash at the end says nothing, through both providers', async t => {
  const board = await startBoard(t)
  const text = message('text', { body: 'Hi' })
  t.equal((await native(board, `v24.0/${number}/messages/`, text)).status, 200)
  t.equal((await native(board, `v24.0/${number}/?fields=id`, undefined, 'GET')).status, 200)
  t.equal((await board.call('GET', '/channels/wati/native/api/v1/getContacts/')).status, 200)
  const paths = board.sandbox.ledger.entries.map(entry => entry.path)
  t.notMatch(paths.join(' '), /\/( |$)/)
  t.equal((await native(board, `v24.0/${number}/messages//`, text)).status, 400, 'two are an empty segment')
})

t.test('the sandbox takes what Meta takes', async t => {
  const board = await startBoard(t)
  const url = {
    type: 'cta_url',
    header: { type: 'text', text: 'Offer' },
    body: { text: 'Have a look' },
    footer: { text: 'Today' },
    action: { name: 'cta_url', parameters: { display_text: 'Open', url: 'https://example.com/x' } }
  }
  const location = {
    type: 'location_request_message',
    body: { text: 'Where are you?' },
    action: { name: 'send_location' }
  }
  const bodies: [string, object][] = [
    ['plus', message('text', { body: 'Hi' })],
    ['separators', message('text', { body: 'Hi' }, { to: '+1 (415) 555-1234' })],
    ['a user id', message('text', { body: 'Hi' }, { recipient: 'US.13491208655302741918' })],
    ['cta_url', message('interactive', url)],
    ['location request', message('interactive', location)],
    ['a flow', message('interactive', { type: 'flow', body: { text: 'x' }, action: { name: 'flow', parameters: {} } })]
  ]
  for (const [name, body] of bodies) {
    t.equal((await native(board, `v24.0/${number}/messages`, body)).status, 200, name)
    t.equal((await native(board, `${number}/messages`, body)).status, 200, `${name}, without a version`)
  }
  t.equal((await native(board, `${number}?fields=id`, undefined, 'GET')).body.id, number)
  const wrong = {
    ...url,
    action: { name: 'cta_url', parameters: { display_text: 'x'.repeat(21), url: 'https://e.example' } }
  }
  t.equal((await native(board, `v24.0/${number}/messages`, message('interactive', wrong))).status, 400, 'and no more')
  t.equal((await native(board, `w24.0/${number}/messages`, bodies[0]![1])).status, 400)

  const form = new FormData()
  form.set('messaging_product', 'whatsapp')
  form.set('file', new Blob(['hello'], { type: 'text/plain' }), 'a.txt')
  const made = new Response(form)
  const upload = await board.call('POST', `/channels/cloud/native/v24.0/${number}/media`, {
    body: Buffer.from(await made.arrayBuffer()),
    headers: { 'content-type': made.headers.get('content-type')! }
  })
  t.match([upload.status, upload.body], [200, { id: /^\d+$/ }], 'an upload without the field type')
})

t.test('a refused credential tells the provider’s code, as a message does', async t => {
  let answer: Answer = { status: 401 }
  const board = await startFrontedBoard(t, seen => (seen.url.includes('/messages') ? answer : undefined))
  const cases: [Answer, object][] = [
    [
      {
        status: 401,
        body: {
          error: {
            message: 'Error validating access token: x',
            type: 'OAuthException',
            code: 190,
            error_subcode: 463,
            fbtrace_id: 'A1'
          }
        }
      },
      { status: 401, code: '190', subcode: '463', message: /access token/, traceId: 'A1' }
    ],
    [
      { status: 403, body: Buffer.from('\ufeff') },
      { status: 403, code: undefined }
    ],
    [
      { status: 403, body: { error: { message: '(#10) No', type: 'OAuthException', code: 10, fbtrace_id: 'A2' } } },
      { code: '10' }
    ],
    [
      { status: 403, body: { error: { message: 'x'.repeat(100_000), type: 'OAuthException', code: 10 } } },
      { code: undefined }
    ],
    [
      { status: 401, body: '<html>' },
      { status: 401, code: undefined }
    ]
  ]
  for (const [play, provider] of cases) {
    answer = play
    const body = message('text', { body: 'Hi' })
    const refused = await native(board, `v24.0/${number}/messages`, body)
    t.match(refused, {
      status: 502,
      body: { code: 'channel_rejected', outcome: 'not_sent', provider: { name: 'whatsapp-cloud' } }
    })
    t.match(refused.body.provider, provider)
  }
  answer = cases[0]![0]
  const text = { channel: 'cloud', to, type: 'text', text: { body: 'Hi' } }
  const sent = await board.call('POST', '/messages', { body: text })
  const passed = await native(board, `v24.0/${number}/messages`, message('text', { body: 'Hi' }))
  t.strictSame(passed.body.provider, sent.body.provider)
  t.equal(passed.body.detail, sent.body.detail)
})
