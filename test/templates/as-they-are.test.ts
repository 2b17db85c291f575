import t from 'tap'
import { startFrontedBoard } from '../front.ts'
import { type Board, startBoard } from '../helper.ts'
import type { Answer, Seen } from '../upstream/stub.ts'

const to = '14155551234'
const send = (board: Board, channel: string, template: object, path = '/messages') =>
  board.call('POST', path, { body: { channel, to, type: 'template', template } })
const sends = (board: Board) => board.sandbox.ledger.entries.filter(entry => entry.kind === 'send').length

t.test(
  'a template with a part that cannot be filled is refused before any byte of it, and says which part',
  async t => {
    const board = await startBoard(t)
    const cases = [
      ['cloud', 'summer_carousel', 'carousel'],
      ['cloud', 'flash_offer', 'limited_time_offer'],
      ['cloud', 'gif_greeting', 'gif_header'],
      ['cloud', 'product_list', 'multi_product'],
      ['wati', 'gif_greeting', 'gif_header'],
      ['wati', 'product_list', 'multi_product']
    ] as const
    for (const [channel, name, part] of cases) {
      const told = await board.call('GET', `/templates/${name}?channel=${channel}`)
      t.strictSame(told.body.items[0].unsupportedParts, [part], `${channel} ${name}`)
      for (const path of ['/messages', '/messages/validate']) {
        const answer = await send(board, channel, { name }, path)
        t.match([answer.status, answer.body.code], [422, 'unsupported'], `${path} ${channel} ${name}`)
        t.match(answer.body.detail, new RegExp(part))
      }
      const broadcast = await board.call('POST', '/broadcasts', {
        body: { channel, name: 'b', template: { name }, recipients: [{ to }] }
      })
      t.match([broadcast.status, broadcast.body.code], [422, 'unsupported'])
    }
    const fallback = await board.call('POST', '/messages', {
      body: { channel: 'cloud', to, type: 'text', text: { body: 'x' }, fallback: { template: { name: 'flash_offer' } } }
    })
    t.match([fallback.status, fallback.body.code], [422, 'unsupported'], 'a fallback too')
    t.equal(sends(board), 0)
  }
)

t.test('a value that Meta never takes is refused by name', async t => {
  const board = await startBoard(t)
  const of = (name: string) => ({ name: 'order_update', language: 'en_US', variables: { name, ordernumber: '1' } })
  for (const channel of ['cloud', 'wati']) {
    for (const [i, bad] of ['a\nb', 'a\r\nb', 'a\tb', 'a     b', 'a\u2028b', 'line\n'].entries()) {
      const answer = await send(board, channel, of(bad))
      t.match([answer.status, answer.body.code], [422, 'template_invalid'], `${channel} ${i}`)
      t.match(answer.body.errors, [
        { path: '/template/variables/name', message: /line break, a tab or more than four/ }
      ])
      t.equal((await send(board, channel, of(bad), '/messages/validate')).status, 422)
    }
    t.equal((await send(board, channel, of('a    b – ü'))).status, 201, 'four spaces pass')
  }
})

t.test('a button with a prefix takes what comes behind it, not a whole address', async t => {
  const board = await startBoard(t)
  for (const channel of ['cloud', 'wati']) {
    const [key] = channel === 'cloud' ? ['button.0'] : ['urlsuffix']
    const by = {
      variables: (value: string) => ({ name: 'track_parcel', variables: { 1: 'Ada', [key!]: value } }),
      buttons: (value: string) => ({
        name: 'track_parcel',
        variables: { 1: 'Ada' },
        buttons: [{ index: 0, type: 'url', value }]
      })
    }
    for (const [way, template] of Object.entries(by)) {
      for (const bad of ['https://www.example.com/track/abc', 'HTTP://other.example/x', 'www.example.com/track/abc']) {
        const answer = await send(board, channel, template(bad))
        t.match([answer.status, answer.body.code], [422, 'template_invalid'], `${channel} ${way} ${bad}`)
        t.match(answer.body.errors, [{ message: /only what comes after https:\/\/www\.example\.com\/track\// }])
        t.equal(answer.body.errors.length, 1)
      }
      t.equal((await send(board, channel, template('abc?x=1'))).status, 201)
    }
  }
})

/** The definitions that a provider tells, for a test to change. */
const cloudList = (items: object[]): Answer => ({ status: 200, body: { data: items, paging: {} } })
const watiList = (items: object[]): Answer => ({ status: 200, body: { result: 'success', messageTemplates: items } })
const lists = ({ method, url }: Seen) =>
  method === 'GET' &&
  (url.includes('/message_templates') ? 'cloud' : url.includes('/getMessageTemplates') ? 'wati' : '')
const cloudNotice = (status: string, text = 'A notice.', language = 'en') => ({
  id: '1',
  name: 'notice',
  language,
  status,
  category: 'UTILITY',
  components: [{ type: 'BODY', text }]
})
const watiNotice = (status: string, text = 'A notice.', language = 'en') => ({
  id: 'a'.repeat(24),
  elementName: 'notice',
  status,
  category: 'UTILITY',
  language: { value: language },
  bodyOriginal: text,
  body: text
})

t.test('nothing is refused from what is remembered: the provider is asked again first', async t => {
  let now = { cloud: [cloudNotice('PENDING')], wati: [watiNotice('PENDING')] }
  const board = await startFrontedBoard(t, seen => {
    const which = lists(seen)
    if (which === 'cloud') return cloudList(now.cloud)
    if (which === 'wati') return watiList(now.wati)
    return undefined
  })
  const dry = (channel: string, template: object) =>
    send(board, channel, { name: 'notice', ...template }, '/messages/validate')
  const asked = () => board.seen.filter(lists).length
  for (const channel of ['cloud', 'wati']) {
    now = { cloud: [cloudNotice('PENDING')], wati: [watiNotice('PENDING')] }
    t.match((await dry(channel, {})).body, { code: 'template_not_found', detail: /pending/ })
    now = { cloud: [cloudNotice('APPROVED')], wati: [watiNotice('APPROVED')] }
    t.equal((await dry(channel, {})).status, 200, 'approved since')
    const before = asked()
    t.equal((await dry(channel, {})).status, 200)
    t.equal(asked(), before, 'what is fine is believed')
    now = { cloud: [cloudNotice('APPROVED', 'Hi {{1}}.')], wati: [watiNotice('APPROVED', 'Hi {{1}}.')] }
    t.equal((await dry(channel, { variables: ['Ada'] })).status, 200, 'a variable added since')
    now = {
      cloud: [cloudNotice('APPROVED'), cloudNotice('APPROVED', 'Eine Notiz.', 'de')],
      wati: [watiNotice('APPROVED'), watiNotice('APPROVED', 'Eine Notiz.', 'de')]
    }
    t.equal((await dry(channel, { language: 'de' })).status, 200, 'a language added since')
    const wrong = asked()
    t.match((await dry(channel, { language: 'fr' })).body, { code: 'template_not_found' })
    t.ok(asked() > wrong, 'a refusal rests on what the provider says now')
    now = { cloud: [cloudNotice('APPROVED', 'Hi {{1}}.')], wati: [watiNotice('APPROVED', 'Hi {{1}}.')] }
    const recipients = [{ to, variables: { 1: 'Ada' } }]
    const body = { channel, name: 'b', template: { name: 'notice', language: 'en' }, recipients }
    t.equal((await board.call('POST', '/broadcasts', { body })).status, 202, 'a broadcast too')
  }
})

t.test('a refusal of the provider’s about a template forgets its definition', async t => {
  let refusal: Answer | undefined
  const definition = [cloudNotice('APPROVED')]
  const board = await startFrontedBoard(t, seen => {
    if (lists(seen) === 'cloud') return cloudList(definition)
    return seen.method === 'POST' && seen.url.endsWith('/messages') ? refusal : undefined
  })
  const asked = () => board.seen.filter(lists).length
  const graph = (status: number, code: number): Answer => ({
    status,
    body: { error: { message: `(#${code}) x`, type: 'OAuthException', code, fbtrace_id: 'A' } }
  })
  const taken: Answer = { status: 200, body: { messages: [{ id: 'wamid.1' }] } }
  refusal = taken
  t.equal((await send(board, 'cloud', { name: 'notice' })).status, 201)
  t.equal(asked(), 1)
  for (const [status, code] of [
    [404, 132001],
    [400, 132015],
    [400, 132012],
    [400, 132018],
    [400, 132068]
  ] as const) {
    refusal = graph(status, code)
    const before = asked()
    t.equal((await send(board, 'cloud', { name: 'notice' })).status, 422)
    refusal = taken
    await send(board, 'cloud', { name: 'notice' })
    t.equal(asked(), before + 1, `${code}: asked again`)
  }
  const before = asked()
  refusal = graph(400, 131026)
  await send(board, 'cloud', { name: 'notice' })
  refusal = taken
  await send(board, 'cloud', { name: 'notice' })
  t.equal(asked(), before, 'one about the recipient does not')
})
