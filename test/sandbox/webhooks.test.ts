import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { type SandboxOptions, scenarios } from '../../src/sandbox/index.ts'
import { until } from '../until.ts'
import { ask, open } from './helper.ts'

// The sandbox tells what becomes of a message as the providers do: over HTTP, to whoever is registered.

interface Told {
  path: string
  headers: Record<string, unknown>
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: bodies of two providers
  body: any
}

/** Somebody who hears: everything that came, in its order. */
async function listen(t: Test, status: () => number = () => 200) {
  const told: Told[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', part => parts.push(part))
    request.on('end', () => {
      const { searchParams, pathname } = new URL(request.url!, 'http://localhost')
      if (request.method === 'GET') return response.end(searchParams.get('hub.challenge') ?? '')
      const text = Buffer.concat(parts).toString()
      told.push({ path: pathname, headers: request.headers, text, body: JSON.parse(text) })
      response.statusCode = status()
      return response.end()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise(resolve => server.close(resolve)))
  return { told, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hear` }
}

const wired = async (t: Test, options: SandboxOptions = {}, status?: () => number) => {
  const ear = await listen(t, status)
  const sandbox = await open(t, {
    tempoMs: 0,
    webhookRetryMs: 1,
    defaultHook: async () => [{ url: ear.url }],
    ...options
  })
  return { ...ear, sandbox }
}

const numberId = '106540352242922'
const root = '/whatsapp-business/v24.0'
const text = (to: string, more: object = {}) => ({
  path: `${root}/${numberId}/messages`,
  json: {
    messaging_product: 'whatsapp',
    recipient_type: 'individual',
    to,
    type: 'text',
    text: { body: 'Hello' },
    ...more
  }
})
const session = (to: string) => ({
  path: `/wati/api/v1/sendSessionMessage/${to}`,
  query: { localMessageId: 'msg_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3' },
  form: { messageText: 'Hello' }
})
const changes = (told: Told[]) => told.flatMap(({ body }) => body.entry[0].changes)
const statuses = (told: Told[]) => changes(told).flatMap(({ value }) => value.statuses ?? [])
const messages = (told: Told[]) => changes(told).flatMap(({ value }) => value.messages ?? [])

t.test('Cloud: a message is sent, delivered and read, signed as Meta signs', async t => {
  const { sandbox, told } = await wired(t)
  const { body } = await ask(sandbox, text('14155550000', { biz_opaque_callback_data: 'sb1.x' }))
  await until(
    () => statuses(told).length,
    count => count === 3
  )
  t.strictSame(
    statuses(told).map(({ id, status, recipient_id, biz_opaque_callback_data }) => [
      id,
      status,
      recipient_id,
      biz_opaque_callback_data
    ]),
    ['sent', 'delivered', 'read'].map(status => [body.messages[0].id, status, '14155550000', 'sb1.x'])
  )
  for (const { headers, text } of told)
    t.equal(
      headers['x-hub-signature-256'],
      `sha256=${createHmac('sha256', 'sandbox-app-secret').update(text).digest('hex')}`
    )
  t.equal(statuses(told).filter(({ pricing }) => pricing).length, 1, 'the price is told once')
})

t.test('WATI: v1 and v2 of everything, only v2 with our id, and never signed', async t => {
  const { sandbox, told } = await wired(t)
  await ask(sandbox, session('14155550000'))
  await until(
    () => told.length,
    count => count === 6
  )
  t.strictSame(
    told.map(({ body }) => [body.eventType, body.localMessageId]),
    ['sessionMessageSent', 'sentMessageDELIVERED', 'sentMessageREAD'].flatMap(name => [
      [name, undefined],
      [`${name}_v2`, 'msg_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3']
    ])
  )
  t.equal(new Set(told.map(({ body }) => body.whatsappMessageId)).size, 1)
  t.notOk(told.some(({ headers }) => headers['x-hub-signature-256']))
})

t.test('every scenario of the table is played on both', async t => {
  const { sandbox, told } = await wired(t)
  const seen = async (number: string) => {
    told.length = 0
    await ask(sandbox, text(number))
    await sandbox.told()
    const cloud = [...told]
    told.length = 0
    await ask(sandbox, session(number))
    await sandbox.told()
    return { cloud, wati: [...told] }
  }
  const words = (told: Told[]) => statuses(told).map(({ status }) => status)
  const answers: Record<string, (seen: { cloud: Told[]; wati: Told[] }) => void> = {
    never_delivered: ({ cloud }) => t.strictSame(words(cloud), ['sent']),
    fails_later: ({ cloud, wati }) => {
      t.strictSame(words(cloud), ['failed'])
      t.equal(statuses(cloud)[0].errors[0].code, 131026)
      t.match(wati[0]!.body, { eventType: 'sessionMessageFailed', failedCode: '131026' })
    },
    window_closes_later: ({ cloud }) => t.equal(statuses(cloud)[0].errors[0].code, 131047),
    never_read: ({ cloud }) => t.strictSame(words(cloud), ['sent', 'delivered']),
    out_of_order: ({ cloud }) => t.strictSame(words(cloud), ['read', 'sent', 'delivered']),
    told_twice: ({ cloud }) => t.equal(words(cloud).length, 9),
    two_devices: ({ cloud }) => t.strictSame(words(cloud), ['sent', 'failed', 'delivered']),
    told_at_once: ({ cloud }) => t.strictSame(words(cloud), ['sent', 'delivered', 'read']),
    replies_text: ({ cloud, wati }) => {
      t.match(messages(cloud), [{ type: 'text', text: { body: 'Thanks, got it.' }, context: { id: /^wamid/ } }])
      t.match(
        wati.slice(-4).map(({ body }) => body.eventType),
        ['newContactMessageReceived', 'message', 'sentMessageREPLIED', 'sentMessageREPLIED_v2']
      )
    },
    replies_button: ({ cloud }) => t.match(messages(cloud)[0].text.body, /no button/),
    replies_list: ({ cloud }) => t.match(messages(cloud)[0].text.body, /no row/),
    replies_image: ({ cloud, wati }) => {
      t.match(messages(cloud), [{ type: 'image', image: { id: /^2621/, mime_type: 'image/jpeg' } }])
      t.ok(wati.some(({ body }) => body.type === 'image' && body.data.startsWith('data/images/')))
    },
    replies_voice: ({ cloud }) => t.match(messages(cloud), [{ type: 'audio', audio: { voice: true } }]),
    replies_flow: ({ cloud }) => t.match(messages(cloud)[0].interactive.nfm_reply, { response_json: /"size":"L"/ }),
    says_stop: ({ cloud }) => t.match(messages(cloud), [{ text: { body: 'STOP' } }]),
    changes_number: ({ cloud }) =>
      t.match(messages(cloud), [
        { system: { type: 'user_changed_number', wa_id: '15550100218' } },
        { from: '15550100218' }
      ]),
    hides_number: ({ cloud, wati }) => {
      t.match(messages(cloud), [{ from: undefined, from_user_id: /^US\./ }])
      t.ok(wati.some(({ body }) => body.eventType === 'message' && body.waId === null && body.bsuid))
    },
    reacts: ({ cloud }) => t.match(messages(cloud), [{ type: 'reaction', reaction: { emoji: '👍' } }]),
    edits_and_deletes: ({ cloud }) => t.match(messages(cloud), [{ type: 'text' }, { type: 'edit' }, { type: 'revoke' }])
  }
  for (const { number, name } of scenarios) {
    t.ok(answers[name], `${name} has its assertion`)
    answers[name]?.(await seen(number))
  }
})

t.test('what waits for a busy receiver goes a thousand in one body, and in its order', async t => {
  const { sandbox, told } = await wired(t)
  const sends = Array.from({ length: 40 }, () => ask(sandbox, text('14155550000')))
  await Promise.all(sends)
  await sandbox.told()
  t.equal(statuses(told).length, 120)
  t.ok(told.length < 120, `${told.length} bodies`)
  const byId = Map.groupBy(statuses(told), ({ id }) => id)
  for (const list of byId.values())
    t.strictSame(
      list.map(({ status }) => status),
      ['sent', 'delivered', 'read']
    )
})

t.test('what is not answered 200 comes again; WATI gives up after a hundred in a row', async t => {
  let answers = 0
  const { sandbox, told } = await wired(t, {}, () => (++answers < 3 ? 500 : 200))
  await ask(sandbox, text('15550100101'))
  await sandbox.told()
  t.equal(told.length, 3)
  t.equal(new Set(told.map(({ text }) => text)).size, 1, 'the same bytes again')
})

t.test('an address that fails a hundred times in a row is defective at WATI, and told no more', async t => {
  const { sandbox, told, url } = await wired(t, { webhookRetryMs: 0, defaultHook: undefined }, () => 500)
  const made = await ask(sandbox, {
    path: '/wati/api/v2/webhookEndpoints',
    json: [{ url, status: 1, eventTypes: ['sentMessageREAD_v2'] }]
  })
  t.match(made.body, { ok: true, result: [{ url, status: 1 }] })
  for (let sent = 0; sent < 20; sent++) await ask(sandbox, session('14155550000'))
  await sandbox.told()
  const { body } = await ask(sandbox, { path: '/wati/api/ext/v3/webhooks' })
  t.match(body.webhooks, [{ url, status: 2 }])
  const before = told.length
  await ask(sandbox, session('14155550000'))
  await sandbox.told()
  t.equal(told.length, before)
})

t.test('Cloud: the number’s override passes the handshake, is read back, and goes before the account’s', async t => {
  const { sandbox, told, url } = await wired(t, { defaultHook: undefined })
  const override = (address: string) => ({ override_callback_uri: address, verify_token: 'v' })
  const number = { path: `${root}/${numberId}` }
  const account = { path: `${root}/102290129340398/subscribed_apps` }
  t.equal(
    (await ask(sandbox, { ...number, json: { webhook_configuration: override(url) } })).status,
    400,
    'not subscribed'
  )
  t.strictSame((await ask(sandbox, account)).body.data, [])
  await ask(sandbox, { ...account, json: override(`${url}/account`) })
  t.match((await ask(sandbox, account)).body.data, [{ override_callback_uri: `${url}/account` }])
  t.match((await ask(sandbox, { ...number, json: { webhook_configuration: override(`${url}/number`) } })).body, {
    success: true
  })
  const read = await ask(sandbox, { ...number, query: { fields: 'webhook_configuration' } })
  t.match(read.body.webhook_configuration, {
    phone_number: `${url}/number`,
    whatsapp_business_account: `${url}/account`
  })
  await ask(sandbox, text('15550100101'))
  await sandbox.told()
  t.strictSame(
    told.map(({ path }) => path),
    ['/hear/number']
  )
  await ask(sandbox, { ...number, json: { webhook_configuration: override('') } })
  await ask(sandbox, text('15550100101'))
  await sandbox.told()
  t.equal(told.at(-1)?.path, '/hear/account')
  const nowhere = 'http://127.0.0.1:9/'
  const refused = await ask(sandbox, { ...number, json: { webhook_configuration: override(nowhere) } })
  t.match([refused.status, refused.body.error.code], [400, 2200], 'the handshake failed')
  const long = await ask(sandbox, { ...number, json: { webhook_configuration: override(`${url}/${'x'.repeat(200)}`) } })
  t.equal(long.status, 400, 'an address of more than 200 characters')
})

t.test('WATI: an endpoint is registered once, by names that exist, and can be deleted', async t => {
  const { sandbox, url } = await wired(t, { defaultHook: undefined })
  const path = '/wati/api/v2/webhookEndpoints'
  const json = [{ url, status: 1, eventTypes: ['message'] }]
  const { body } = await ask(sandbox, { path, json })
  t.match((await ask(sandbox, { path, json })).body, { ok: false, errors: [/already exists/] })
  t.equal((await ask(sandbox, { path, json: [{ ...json[0], eventTypes: ['mesage'] }] })).status, 400)
  t.match((await ask(sandbox, { path: '/wati/api/ext/v3/webhooks/event-types' })).body.eventTypes, /message/)
  const remove = { path: `/wati/api/ext/v3/webhooks/${body.result[0].id}`, method: 'DELETE' as const }
  t.equal((await ask(sandbox, remove)).status, 200)
  t.equal((await ask(sandbox, remove)).status, 404)
})

t.test('nothing is told where nobody listens', async t => {
  const sandbox = await open(t, { tempoMs: 0 })
  await ask(sandbox, text('15550100111'))
  await sandbox.told()
  t.equal(sandbox.hooks().size, 0)
})
