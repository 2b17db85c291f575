import t from 'tap'
import { startBoard, until } from '../helper.ts'

t.test(
  'what was used: calls, messages and prices, by day, service, channel and template, as JSON and as a table',
  async t => {
    const board = await startBoard(t)
    const billing = await board.key()
    const shop = await board.key({ service: 'shop' })
    const text = { channel: 'cloud', to: '14155551234', type: 'text', text: { body: 'Hello' } }
    const template = { type: 'template', text: undefined, template: { name: 'hello_world', language: 'en_US' } }
    for (const [key, more] of [
      [billing, {}],
      [billing, { channel: 'wati' }],
      [shop, {}],
      [shop, template],
      [shop, { to: '15550100001' }]
    ] as const)
      await board.call('POST', '/messages', { key, body: { ...text, ...more } })
    const by = async (query: string) => {
      const { body } = await board.call('GET', `/usage?${query}`)
      return Object.fromEntries(body.items.map(({ key, ...item }: { key: string }) => [key, item]))
    }
    // A call is counted once its answer is out.
    await until(
      () => by('by=service'),
      items => items.shop?.calls >= 3
    )
    t.match(await by('by=service'), {
      billing: { calls: 2, messages: { accepted: 2 }, recipients: 2 },
      shop: { calls: 3, messages: { accepted: 2, failed: 1 }, recipients: 2 }
    })
    t.match(await by('by=channel'), { cloud: { calls: null, recipients: 3 }, wati: { recipients: 1 } })
    t.match(await by('by=template&service=shop'), { hello_world: { recipients: 1 }, '': { messages: { failed: 1 } } })
    const today = new Date().toISOString().slice(0, 10)
    t.match(await by('channel=cloud&service=shop'), { [today]: { calls: null, messages: { accepted: 2, failed: 1 } } })
    t.strictSame(await by('mode=test'), {}, 'test traffic is its own')
    t.strictSame(await by('to=2020-01-01'), {}, 'nor another day')
    const csv = await board.call('GET', '/usage?by=service', { headers: { accept: 'text/csv' } })
    t.match(
      csv.text,
      /^\ufeffservice,calls,accepted,sent,delivered,read,failed,unknown,expired,canceled,recipients,prices\r\n/
    )
    t.match(csv.text, /\r\nshop,3,2,0,0,0,1,0,0,0,2,\r\n/)
    t.match(await board.call('GET', '/usage?from=2026-02-01&to=2026-01-01'), {
      status: 400,
      body: { errors: [{ path: 'query/from' }] }
    })
    t.equal((await board.call('GET', '/usage', { key: billing })).status, 403)
  }
)

t.test('calls are there after a stop and a start', async t => {
  const board = await startBoard(t)
  const key = await board.key()
  for (let i = 0; i < 3; i++) await board.call('GET', '/keys/self', { key })
  const { directory, sandbox } = board
  await board.close()
  const again = await startBoard(t, { directory, sandbox })
  const { body } = await again.call('GET', '/usage?by=service&service=billing')
  t.match(body.items, [{ key: 'billing', calls: 3 }])
})
