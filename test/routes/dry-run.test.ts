import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { messageTypes } from '../../schemas/content.ts'
import { messageExamples } from '../../schemas/examples.ts'
import { dryId } from '../../src/delivery/intake/dry-run.ts'
import { type Board, matonKey, startBoard } from '../helper.ts'

const validate = (board: Board, body: unknown, key?: string) =>
  board.call('POST', '/messages/validate', { body, ...(key && { key }) })
const rows = async (board: Board) => (await board.call('GET', '/messages')).body.items.length

t.test('what a dry run tells is what the send then puts on the wire', async t => {
  const board = await startBoard(t)
  const sending = await startBoard(t)
  for (const channel of ['cloud', 'wati'])
    for (const type of messageTypes) {
      const body = { ...messageExamples[type], channel }
      const asked = board.sandbox.ledger.entries.filter(each => each.kind !== 'read').length
      const told = await validate(board, body)
      t.equal(board.sandbox.ledger.entries.filter(each => each.kind !== 'read').length, asked, 'nothing is sent')
      t.equal(await rows(board), 0, 'and nothing is kept')
      if (told.status === 422) {
        t.match(told.body, { code: 'unsupported' }, `${channel} ${type}`)
        continue
      }
      t.equal(told.status, 200, `${channel} ${type}: ${told.text}`)
      t.match(told.body, { channel, to: '14155551234', type, mode: 'live', expectedWaitSeconds: 0 })
      t.notMatch(told.text, /"path":"\/tmp|connection"?:"(cloud|wati)-connection/)
      t.notOk(told.text.includes(matonKey))
      if (JSON.stringify(told.body.request.body)?.includes('"file"')) continue
      const sent = await sending.call('POST', '/messages', { body })
      t.equal(sent.status, 201, `${channel} ${type}`)
      const wire = sending.sandbox.ledger.entries.at(-1)!
      const { request } = JSON.parse(told.text.replaceAll(dryId, sent.body.id))
      t.strictSame(
        { method: wire.method, path: decodeURIComponent(wire.path), query: { ...wire.query }, body: wire.body },
        { method: request.method, path: decodeURIComponent(request.path), query: request.query, body: request.body },
        `${channel} ${type}`
      )
      const { host, connection, 'content-length': length, ...headers } = wire.headers as Record<string, string>
      t.ok(host && connection && length !== '')
      t.strictSame(
        { ...headers, authorization: 'Bearer [masked]', 'maton-connection': '[masked]' },
        request.headers,
        'its headers, but for the secrets'
      )
    }
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('a file is described, not fetched: the one by link, and the one that was uploaded', async t => {
  const board = await startBoard(t)
  const link = 'https://files.example.com/a.pdf'
  const linked = await validate(board, { channel: 'wati', to: '14155551234', type: 'document', document: { link } })
  t.match(linked.body, {
    warnings: [/link is fetched/],
    request: { headers: { 'content-type': 'multipart/form-data' } }
  })
  t.match(linked.body.request.body, [{ name: 'file', file: { link, filename: null, mimeType: null, size: null } }])
  const boundary = 'x-boundary-x'
  const upload = [
    `--${boundary}\r\nContent-Disposition: form-data; name="channel"\r\n\r\nwati`,
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nHello`,
    `--${boundary}--\r\n`
  ].join('\r\n')
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` }
  const { id } = (await board.call('POST', '/media', { body: upload, headers })).body
  const own = await validate(board, { channel: 'wati', to: '14155551234', type: 'document', document: { mediaId: id } })
  const file = { mediaId: id, filename: 'a.txt', mimeType: 'text/plain', size: 5 }
  t.match(own.body.request.body, [{ name: 'file', file }])
  t.strictSame(own.body.warnings, [])
})

t.test('a template is checked against its definition, and its variables are shown in their places', async t => {
  const board = await startBoard(t)
  const example = messageExamples.template.template as { name: string }
  const body = { ...messageExamples.template, channel: 'cloud' }
  const { template } = (await validate(board, body)).body
  t.match(template, { name: example.name, parameterFormat: /named|positional/ })
  t.ok(template.variables.length > 0)
  t.match(await validate(board, { ...body, template: { name: 'nowhere_at_all' } }), {
    status: 422,
    body: { code: 'template_not_found' }
  })
  t.match(await validate(board, { ...body, template: { name: example.name, variables: ['a', 'b', 'c', 'd'] } }), {
    status: 422,
    body: { code: 'template_invalid', errors: [{ path: /template/ }] }
  })
})

t.test('its problems are those of the send, before there is a row', async t => {
  const board = await startBoard(t)
  const text = { ...messageExamples.text, channel: 'cloud' }
  const narrow = await board.key({ channels: ['wati'], recipientPrefixes: ['49'], templates: ['one'] })
  const cases: [body: unknown, status: number, key?: string][] = [
    [{ ...text, to: 'nobody' }, 400],
    [{ ...text, refrence: 'x' }, 400],
    [{ ...text, type: 'image' }, 400],
    [{ ...text, channel: undefined }, 400],
    [{ ...text, channel: 'nowhere' }, 404],
    [{ ...text, sendAt: '2020-01-01T00:00:00Z', expiresAt: '2020-01-02T00:00:00Z' }, 400],
    [{ ...text, replyTo: 'msg_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3' }, 400],
    [{ ...messageExamples.location, channel: 'wati' }, 422],
    [text, 403, narrow],
    [{ ...text, channel: 'wati' }, 403, narrow],
    [{ ...messageExamples.template, channel: 'wati', to: '4915112345678' }, 403, narrow]
  ]
  for (const [body, status, key] of cases) {
    const dry = await validate(board, body, key)
    const real = await board.call('POST', '/messages', { body, ...(key && { key }) })
    t.equal(dry.status, status, JSON.stringify(body))
    const { requestId, instance, ...words } = dry.body
    t.ok(requestId && instance === '/messages/validate')
    t.match(real.body, words, 'word for word')
  }
  t.equal(await rows(board), 0)
  const later = new Date(Date.now() + 90_000).toISOString()
  const { expectedWaitSeconds } = (await validate(board, { ...text, sendAt: later })).body
  t.ok(expectedWaitSeconds > 60 && expectedWaitSeconds <= 90, String(expectedWaitSeconds))
  t.match((await validate(board, { ...text, providerOptions: { wati: {} } })).body.warnings, [/providerOptions\.wati/])
  t.equal((await board.call('GET', '/messages/validate')).status, 405)
  t.equal(board.sandbox.ledger.entries.filter(each => each.kind === 'send').length, 0)
})

t.test('a message to a closed window is warned of, and nobody is asked for it', async t => {
  const board = await startBoard(t)
  const validate = async (body: object) =>
    (await board.call('POST', '/messages/validate', { body: { channel: 'wati', to: '4915112345678', ...body } })).body
  const free = { type: 'text', text: { body: 'Hello' } }
  const closed = /has not written for 24 hours.*window_closed/
  t.strictSame((await validate(free)).warnings, [], 'CONTROL: nothing is heard, so nothing is known')
  const db = new DatabaseSync(join(board.directory, 'switchboard.db'))
  db.exec(
    `insert into webhook_registrations (channel_id, mode, registered, at_provider, checked_at, registered_at)
     values ('wati', 'live', 1, 'true', 1, 1)`
  )
  db.close()
  const asked = board.sandbox.ledger.entries.length
  t.match((await validate(free)).warnings, [closed])
  t.equal(board.sandbox.ledger.entries.length, asked)
  const { template } = messageExamples.template as { template: object }
  const goes = await validate({ type: 'template', template })
  t.equal(goes.type, 'template')
  t.notOk(
    goes.warnings.some((each: string) => closed.test(each)),
    'a template goes at any time'
  )
  const later = { sendAt: new Date(Date.now() + 3600_000).toISOString() }
  t.strictSame((await validate({ ...free, ...later })).warnings, [], 'they may write before then')
})
