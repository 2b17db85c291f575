import t from 'tap'
import { type Board, startBoard } from '../helper.ts'

const to = '14155551234'
const post = (board: Board, body: unknown) => board.call('POST', '/messages', { body })
const sends = (board: Board) => board.sandbox.ledger.entries.filter(entry => entry.kind === 'send')

t.test('a template is checked against its definition, each fault by name, before a message is spent', async t => {
  const board = await startBoard(t)
  const send = (channel: string, template: object) => post(board, { channel, to, type: 'template', template })
  for (const channel of ['cloud', 'wati']) {
    const cases: [name: string, template: object, code: string, words: RegExp[]][] = [
      [
        'missing',
        { name: 'order_update', language: 'en_US', variables: { name: 'Ada' } },
        'template_invalid',
        [/variables\/ordernumber is missing/]
      ],
      [
        'none at all',
        { name: 'order_update', language: 'en_US' },
        'template_invalid',
        [/name is missing/, /ordernumber is missing/]
      ],
      [
        'extra',
        { name: 'order_update', language: 'en_US', variables: { name: 'A', ordernumber: '1', colour: 'red' } },
        'template_invalid',
        [/variables\/colour is not a variable/]
      ],
      [
        'empty',
        { name: 'order_update', language: 'en_US', variables: { name: ' ', ordernumber: '1' } },
        'template_invalid',
        [/variables\/name must not be empty/]
      ],
      [
        'too few in a list',
        { name: 'appointment_reminder', variables: ['Ada'] },
        'template_invalid',
        [/variables\/1 is missing/]
      ],
      ['no header', { name: 'spring_sale', variables: ['Ada'] }, 'template_invalid', [/header\/image is missing/]],
      [
        'two languages',
        { name: 'order_update', variables: { name: 'A', ordernumber: '1' } },
        'template_invalid',
        [/several languages/]
      ],
      ['no such', { name: 'order_updat', language: 'en_US' }, 'template_not_found', [/order_update\?/]],
      [
        'no such language',
        { name: 'order_update', language: 'fr' },
        'template_not_found',
        [/only en_US, de|only de, en_US/]
      ],
      ['not approved', { name: 'paused_offer' }, 'template_not_found', [/paused, not approved/]]
    ]
    for (const [name, template, code, words] of cases) {
      const answer = await send(channel, template)
      t.equal(answer.status, 422, `${channel} ${name}`)
      t.equal(answer.body.code, code, `${channel} ${name}`)
      for (const word of words) t.match(answer.body.detail, word, `${channel} ${name}`)
    }
  }
  t.strictSame(sends(board), [], 'nothing was sent')
  const listed = await send('cloud', { name: 'appointment_reminder', variables: ['Ada', 'Monday'] })
  t.equal(listed.status, 201, 'CONTROL: a right one is, its language found by itself')
  t.match(sends(board).at(-1)!.body, {
    template: { language: { code: 'en_US' }, components: [{ parameters: [{ text: 'Ada' }, { text: 'Monday' }] }] }
  })
  const mixed = await send('cloud', {
    name: 'spring_sale',
    variables: { 1: 'Ada' },
    header: { image: { link: 'https://example.com/a.jpg' } }
  })
  t.equal(mixed.status, 201, 'with a picture')
  t.equal(
    (
      await send('cloud', {
        name: 'discount_code',
        variables: ['Ada'],
        buttons: [{ index: 0, type: 'copy_code', value: 'SUMMER20' }]
      })
    ).status,
    201
  )
  t.equal(
    (
      await send('cloud', {
        name: 'store_location',
        header: { location: { latitude: 1, longitude: 2, name: 'Shop', address: '1 St' } }
      })
    ).status,
    201
  )
  t.strictSame(board.sandbox.ledger.violations(), [])
})
