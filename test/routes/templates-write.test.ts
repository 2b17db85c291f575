import t from 'tap'
import { CreateTemplate } from '../../schemas/templates.ts'
import { type Board, startBoard } from '../helper.ts'

const draft = { ...CreateTemplate.examples[0], channel: 'cloud' }
const last = (board: Board) => board.sandbox.ledger.entries.at(-1)!
const entries = (board: Board) => board.sandbox.ledger.entries.length

t.test('a template is made with Meta’s components and example blocks', async t => {
  const board = await startBoard(t)
  const made = await board.call('POST', '/templates', { body: draft })
  t.equal(made.status, 201, made.text)
  t.equal(made.headers.location, '/templates/parcel_ready?channel=cloud')
  t.match(last(board), { operation: 'cloud.createTemplate', processed: true })
  t.strictSame(last(board).body, {
    name: 'parcel_ready',
    language: 'en_US',
    category: 'UTILITY',
    parameter_format: 'NAMED',
    components: [
      {
        type: 'HEADER',
        format: 'TEXT',
        text: 'Order {{ordernumber}}',
        example: { header_text_named_params: [{ param_name: 'ordernumber', example: '12345' }] }
      },
      {
        type: 'BODY',
        text: 'Hello {{name}}, your order {{ordernumber}} is ready.',
        example: {
          body_text_named_params: [
            { param_name: 'name', example: 'Ada' },
            { param_name: 'ordernumber', example: '12345' }
          ]
        }
      },
      { type: 'FOOTER', text: 'Reply STOP to opt out' },
      {
        type: 'BUTTONS',
        buttons: [
          { type: 'URL', text: 'Track', url: 'https://example.com/track/{{1}}', example: ['12345'] },
          { type: 'QUICK_REPLY', text: 'Thanks' }
        ]
      }
    ]
  })
  const { items } = (await board.call('GET', String(made.headers.location))).body
  const { syncedAt, ...answered } = made.body
  t.ok(items[0].syncedAt >= syncedAt)
  const listed = { quality: 'unknown', syncedAt: items[0].syncedAt }
  t.strictSame(items, [{ ...answered, ...listed }], 'what was answered is what the provider tells')
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('positional variables, a place, a call and a code', async t => {
  const board = await startBoard(t)
  const base = { channel: 'cloud', language: 'de', category: 'marketing' }
  const positional = {
    ...base,
    name: 'positional_one',
    header: { format: 'text', text: 'For {{1}}' },
    body: { text: 'Hello {{1}}, you save {{2}} today.' },
    examples: { 'header.1': 'Ada', 1: 'Ada', 2: '10 %' }
  }
  t.equal((await board.call('POST', '/templates', { body: positional })).status, 201)
  t.match(last(board).body, {
    parameter_format: 'POSITIONAL',
    components: [{ example: { header_text: ['Ada'] } }, { example: { body_text: [['Ada', '10 %']] } }]
  })
  const place = {
    ...base,
    name: 'place_one',
    header: { format: 'location' },
    body: { text: 'Come and see us.' },
    buttons: [{ type: 'phone_number', text: 'Call', phone: '+15550783881' }, { type: 'copy_code' }],
    examples: { 'button.1': 'SUMMER20' }
  }
  const made = await board.call('POST', '/templates', { body: place })
  t.equal(made.status, 201, made.text)
  t.strictSame((last(board).body as { components: unknown[] }).components, [
    { type: 'HEADER', format: 'LOCATION' },
    { type: 'BODY', text: 'Come and see us.' },
    {
      type: 'BUTTONS',
      buttons: [
        { type: 'PHONE_NUMBER', text: 'Call', phone_number: '+15550783881' },
        { type: 'COPY_CODE', example: 'SUMMER20' }
      ]
    }
  ])
  const picture = {
    ...base,
    name: 'picture_one',
    header: { format: 'image', handle: '4::aW1hZ2U=' },
    body: { text: 'Hi.' }
  }
  t.equal((await board.call('POST', '/templates', { body: picture })).status, 201)
  t.match(last(board).body, { components: [{ format: 'IMAGE', example: { header_handle: ['4::aW1hZ2U='] } }, {}] })
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('what is wrong with a new template is named, and nothing is sent', async t => {
  const board = await startBoard(t)
  const base = {
    channel: 'cloud',
    name: 'x',
    language: 'en_US',
    category: 'utility',
    body: { text: 'Hi {{name}} there' }
  }
  const examples = { name: 'Ada' }
  const header = (more: object) => ({ header: { format: 'text', text: 'Hi', ...more }, examples })
  const rows: [more: object, path: string][] = [
    [{}, '/examples/name'],
    [{ examples: { ...examples, nobody: 'x' } }, '/examples/nobody'],
    [{ examples: { name: '' } }, '/examples/name'],
    [{ examples, body: { text: 'Hi {{Name}} there' } }, '/body/text'],
    [{ body: { text: 'Hi {{2}} there' }, examples: { 2: 'x' } }, '/body/text'],
    [{ body: { text: 'Hi {{}} there' } }, '/body/text'],
    [{ examples, footer: { text: 'Bye {{name}}' } }, '/footer/text'],
    [header({ text: undefined }), '/header/text'],
    [header({ text: '{{a}} {{b}}' }), '/header/text'],
    [header({ format: 'image' }), '/header/text'],
    [header({ handle: '4::x' }), '/header/handle'],
    [{ examples, buttons: [{ type: 'url', text: 'x' }] }, '/buttons/0/url'],
    [{ examples, buttons: [{ type: 'quick_reply', text: 'x', phone: '+15550783881' }] }, '/buttons/0/phone'],
    [{ examples, buttons: [{ type: 'url', text: 'x', url: 'https://a.b/{{1}}' }] }, '/examples/1'],
    [{ examples, buttons: [{ type: 'copy_code' }] }, '/examples/coupon_code'],
    [{ examples, colour: 'red' }, '/colour'],
    [{ examples, language: 'en-US' }, '/language'],
    [{ examples, name: 'With Space' }, '/name'],
    [{ examples, category: 'UTILITY' }, '/category']
  ]
  for (const [more, path] of rows) {
    const answer = await board.call('POST', '/templates', { body: { ...base, ...more } })
    t.equal(answer.status, 400, path)
    t.ok(
      answer.body.errors.some((each: { path: string }) => each.path === path),
      `${path}: ${JSON.stringify(answer.body.errors)}`
    )
  }
  for (const [more, detail] of [
    [{ header: { format: 'image' }, body: { text: 'Hi' } }, /Resumable Upload/],
    [{ category: 'authentication', body: { text: 'Hi' } }, /writes the text/]
  ] as const) {
    const answer = await board.call('POST', '/templates', { body: { ...base, ...more } })
    t.match(answer, { status: 422, body: { code: 'unsupported', outcome: 'not_sent', detail } })
  }
  t.equal(entries(board), 0, 'nothing went upstream')
})

t.test('a duplicate is a conflict, a refusal and a lost answer are what they are', async t => {
  const board = await startBoard(t)
  const create = (more: object, headers = {}) =>
    board.call('POST', '/templates', { body: { ...draft, ...more }, headers })
  t.equal((await create({})).status, 201)
  t.match(await create({}), { status: 409, body: { code: 'conflict', provider: { subcode: '2388024' } } })
  const edge = { body: { text: '{{name}} is first' }, examples: { name: 'Ada' }, header: undefined, buttons: undefined }
  t.match(await create({ name: 'edge', ...edge }), { status: 422, body: { code: 'template_invalid' } })
  board.sandbox.force({ operation: 'cloud.createTemplate', fault: 'reset_after' })
  const lost = await create({ name: 'lost' })
  t.match(lost, { status: 504, body: { code: 'outcome_unknown', outcome: 'unknown' } })
  const headers = { 'idempotency-key': 'once' }
  const first = await create({ name: 'once' }, headers)
  const again = await create({ name: 'once' }, headers)
  t.strictSame([again.status, again.text], [201, first.text])
  t.equal(again.headers['idempotency-replayed'], 'true')
})

t.test('one language or all are deleted, and a send knows at once', async t => {
  const board = await startBoard(t)
  const gone = (name: string, query = '') => board.call('DELETE', `/templates/${name}?channel=cloud${query}`)
  const send = (name: string, language: string, variables: unknown) =>
    board.call('POST', '/messages', {
      body: { channel: 'cloud', to: '14155551234', type: 'template', template: { name, language, variables } }
    })
  const order = { name: 'Ada', ordernumber: '1' }
  t.equal((await send('order_update', 'de', order)).status, 201, 'the definition is known')
  t.equal((await gone('order_update', '&language=DE')).status, 204)
  t.match(last(board).query, { name: 'order_update', hsm_id: /^\d+$/ })
  t.match(await send('order_update', 'de', order), { status: 422, body: { code: 'template_not_found' } })
  t.equal((await send('order_update', 'en_US', order)).status, 201, 'the other language is still there')
  t.match(await gone('order_update', '&language=de'), { status: 404, body: { code: 'not_found' } })
  t.equal((await gone('order_update')).status, 204)
  t.strictSame(Object.entries(last(board).query), [['name', 'order_update']])
  t.match(await gone('order_update'), { status: 404, body: { code: 'not_found' } })
  t.equal((await send('nobody_knows', 'en_US', {})).status, 422, 'a miss is remembered')
  t.equal((await board.call('POST', '/templates', { body: { ...draft, name: 'nobody_knows' } })).status, 201)
  t.match(await send('nobody_knows', 'en_US', {}), { body: { detail: /is pending, not approved/ } }, 'and forgotten')
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('WATI can neither make nor delete: told before any upstream byte, with who can', async t => {
  const board = await startBoard(t)
  const answers = [
    await board.call('POST', '/templates', { body: { ...draft, channel: 'wati' } }),
    await board.call('DELETE', '/templates/order_update?channel=wati'),
    await board.call('DELETE', '/templates/order_update?channel=wati&language=de')
  ]
  for (const answer of answers)
    t.match(answer, { status: 422, body: { code: 'unsupported', detail: /wati.*A channel of whatsapp-cloud can/ } })
  t.equal(entries(board), 0)
})
