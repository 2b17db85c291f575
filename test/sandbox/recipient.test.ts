import t from 'tap'
import { ask, cloudMessage, MESSAGES, open } from './helper.ts'

// Whom Meta reaches by what stands in `to` (docs/webhooks.md A11, C4). The demo number is of country code 1.

t.test('a number with a plus is taken as it is; a national one gets the sender’s country code', async t => {
  const sandbox = await open(t)
  for (const [written, reached] of [
    ['+447911123456', '447911123456'],
    ['+44 7911-123 456', '447911123456'],
    ['447911123456', '447911123456'],
    ['7911123456', '17911123456'],
    ['6315551234', '16315551234'],
    ['1 (631) 555-1234', '116315551234'],
    ['(631) 555-1234', '16315551234']
  ] as const) {
    const { status, body } = await ask(sandbox, cloudMessage(written))
    t.equal(status, 200, written)
    t.strictSame(body.contacts, [{ input: written, wa_id: reached }], written)
    t.match(sandbox.ledger.entries.at(-1), { to: reached, processed: true, violations: [] }, written)
  }
})

t.test('WhatsApp’s own form of a number may be another one', async t => {
  const sandbox = await open(t)
  for (const [written, known] of [
    ['+525512345678', '5215512345678'],
    ['+5215512345678', '5215512345678'],
    ['+5551912345678', '555112345678'],
    ['+5511912345678', '5511912345678']
  ] as const)
    t.equal((await ask(sandbox, cloudMessage(written))).body.contacts[0].wa_id, known, written)
})

t.test('a user id goes into recipient, and an authentication template does not go to one', async t => {
  const sandbox = await open(t)
  const recipient = 'US.13491208655302741918'
  const send = (content: Record<string, unknown>, more: Record<string, unknown> = {}) =>
    ask(sandbox, {
      path: MESSAGES,
      json: { messaging_product: 'whatsapp', recipient, type: Object.keys(content)[0], ...content, ...more }
    })
  const text = { text: { body: 'Hello' } }
  const taken = await send(text)
  t.equal(taken.status, 200, taken.text)
  t.strictSame(taken.body.contacts, [{ input: recipient, user_id: recipient }])
  t.equal(sandbox.ledger.sends().at(-1)?.to, recipient)
  t.strictSame((await send(text, { to: '+14155551234' })).body.contacts[0].input, '+14155551234', '`to` counts')

  const code = { type: 'text', text: '123456' }
  const login = {
    template: {
      name: 'login_code',
      language: { code: 'en_US' },
      components: [
        { type: 'body', parameters: [code] },
        { type: 'button', sub_type: 'url', index: 0, parameters: [code] }
      ]
    }
  }
  const refused = await send(login)
  t.equal(refused.body.error?.code, 131062, refused.text)
  t.strictSame(sandbox.ledger.violations(), [])
})
