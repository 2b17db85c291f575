import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import t from 'tap'
import { ask, cloudMessage, META, open, PHONE_ID, parts, WABA_ID, watiText } from './helper.ts'

const TO = '14155550000'

t.test('a bearer is needed, and the right one where one is set', async t => {
  const any = await open(t)
  for (const authorization of ['', 'Bearer', 'Bearer ', 'Basic x']) {
    const reply = await ask(any, { ...watiText(TO), headers: { authorization } })
    t.match(reply, { status: 401, text: '' }, `"${authorization}"`)
  }
  t.equal(any.ledger.violations().length, 4)
  const keyed = await open(t, { apiKey: 'right' })
  t.equal((await ask(keyed, watiText(TO))).status, 401)
  t.equal((await ask(keyed, { ...watiText(TO), headers: { authorization: 'Bearer right' } })).status, 200)
})

t.test('a missing connection and headers that leak are violations', async t => {
  const sandbox = await open(t)
  t.equal((await ask(sandbox, { ...watiText(TO), headers: { 'maton-connection': '' } })).status, 400)
  t.match(sandbox.ledger.violations(), [/Maton-Connection is missing/])
  sandbox.ledger.clear()
  const leaks = ['cookie', 'x-request-id', 'traceparent', 'idempotency-key', 'x-forwarded-for', 'forwarded']
  const headers = Object.fromEntries(leaks.map(name => [name, 'x']))
  t.equal((await ask(sandbox, { ...watiText(TO), headers })).status, 200, 'they are noted and not refused')
  t.equal(sandbox.ledger.violations().length, leaks.length)
  t.ok(leaks.every(name => sandbox.ledger.violations().some(text => text.includes(name))))
})

t.test('the ledger keeps what was asked and what really happened', async t => {
  const sandbox = await open(t)
  const { body } = await ask(sandbox, cloudMessage(TO))
  await ask(sandbox, watiText(TO, 'Grüße'))
  const fields = { messaging_product: 'whatsapp', type: 'text/plain' }
  const file = { name: 'file', filename: 'a.txt', type: 'text/plain', bytes: 'hello' }
  await ask(sandbox, { path: `${META}/${PHONE_ID}/media`, parts: parts(fields, file) })
  const [cloud, wati, media] = sandbox.ledger.entries
  t.match(cloud, {
    n: 1,
    operation: 'cloud.sendMessage',
    kind: 'send',
    method: 'POST',
    status: 200,
    processed: true,
    to: TO,
    messageId: body.messages[0].id,
    body: { text: { body: 'Hello' } },
    headers: { 'maton-connection': 'conn-1' }
  })
  t.match(wati, { n: 2, body: { messageText: 'Grüße' }, path: `/wati/api/v1/sendSessionMessage/${TO}` })
  const sha256 = createHash('sha256').update('hello').digest('hex')
  const part = ((media?.body ?? []) as { name: string }[]).find(({ name }) => name === 'file')
  t.strictSame(part, { name: 'file', filename: 'a.txt', contentType: 'text/plain', size: 5, sha256 })
  t.equal(sandbox.ledger.sends().length, 2, 'an upload is no message')
})

t.test('the ledger over HTTP: filters, fields, clearing', async t => {
  const sandbox = await open(t)
  await ask(sandbox, cloudMessage(TO))
  await ask(sandbox, cloudMessage('14155550001'))
  await ask(sandbox, cloudMessage('nobody'))
  const read = async (query: Record<string, string>) =>
    (await ask(sandbox, { path: '/_sandbox/ledger', query })).body.entries
  t.equal((await read({})).length, 3, 'its own paths are not in it')
  t.strictSame(await read({ to: TO, fields: 'n,status' }), [{ n: 1, status: 200 }])
  t.equal((await read({ violations: 'true' })).length, 1)
  t.equal((await read({ since: '1', processed: 'true' })).length, 1)
  t.equal((await ask(sandbox, { method: 'DELETE', path: '/_sandbox/ledger' })).status, 204)
  t.strictSame(await read({}), [])
})

t.test('the ledger is bounded, and can be off', async t => {
  const small = await open(t, { ledger: 10 })
  for (let at = 0; at < 25; at++) await ask(small, cloudMessage(TO))
  t.equal(small.ledger.entries.length, 10)
  t.equal(small.ledger.dropped, 15)
  t.equal(small.ledger.entries.at(-1)?.n, 25)
  const off = await open(t, { ledger: false })
  t.equal((await ask(off, cloudMessage(TO))).status, 200)
  t.strictSame(off.ledger.entries, [])
})

t.test('faults on order meet the next calls that match, reads included', async t => {
  const sandbox = await open(t)
  const order = (json: Record<string, unknown>) => ask(sandbox, { path: '/_sandbox/faults', json })
  const templates = { path: `${META}/${WABA_ID}/message_templates` }
  t.equal((await order({ fault: 'unavailable', operation: 'cloud.listTemplates', times: 2 })).status, 201)
  t.equal((await ask(sandbox, cloudMessage(TO))).status, 200, 'another operation is spared')
  t.strictSame([(await ask(sandbox, templates)).status, (await ask(sandbox, templates)).status], [503, 503])
  t.equal((await ask(sandbox, templates)).status, 200)
  await order({ fault: 'reset_after', recipient: TO })
  t.equal((await ask(sandbox, cloudMessage('14155550001'))).status, 200)
  await t.rejects(ask(sandbox, cloudMessage(TO)))
  t.equal(sandbox.ledger.entries.at(-1)?.processed, true)
  sandbox.force({ fault: 'html_200', operation: 'wati.*' })
  t.match((await ask(sandbox, { path: '/wati/api/v1/getContacts' })).text, /^<!DOCTYPE/)
  sandbox.force({ fault: 'maton_unauthorized' })
  t.equal((await ask(sandbox, { path: '/connections' })).status, 401)
  t.equal((await order({ fault: 'nothing_like_it' })).status, 400)
  t.throws(() => sandbox.force({ fault: 'nothing_like_it' }), RangeError)
  await order({ fault: 'silent', times: 9 })
  t.equal((await ask(sandbox, { method: 'DELETE', path: '/_sandbox/faults' })).status, 204)
  t.equal((await ask(sandbox, cloudMessage(TO))).status, 200)
})

t.test('over the rate, Maton answers 429 without a body', async t => {
  const sandbox = await open(t, { ratePerSecond: 3 })
  const replies = await Promise.all(Array.from({ length: 6 }, () => ask(sandbox, cloudMessage(TO))))
  const limited = replies.filter(({ status }) => status === 429)
  t.equal(limited.length, 3)
  t.ok(limited.every(({ text, headers }) => text === '' && headers['x-fb-trace-id'] === undefined))
  t.equal(sandbox.ledger.sends().length, 3)
})

t.test('closing waits for no call that hangs, and frees the port', async t => {
  const sandbox = await open(t, { wait: () => new Promise(() => {}) })
  const hanging = ['15550100008', '15550100026', '15550100007'].map(to =>
    ask(sandbox, cloudMessage(to)).catch(() => 'cut')
  )
  while (sandbox.ledger.entries.length < 3) await new Promise(resolve => setImmediate(resolve))
  await sandbox.close()
  t.strictSame(await Promise.all(hanging), ['cut', 'cut', 'cut'])
  const server: Server = createServer().listen(Number(new URL(sandbox.url).port), '127.0.0.1')
  await once(server, 'listening')
  t.ok((server.address() as AddressInfo).port)
  server.close()
})

t.test('it runs as a process of its own and ends cleanly', async t => {
  const main = new URL('../../src/sandbox/main.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [main, '--rate', '2', '--no-ledger'], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = await once(createInterface(child.stdout), 'line')
  const sandbox = JSON.parse(line) as { url: string }
  t.equal((await ask(sandbox, cloudMessage(TO))).status, 200)
  t.equal((await ask(sandbox, cloudMessage(TO))).status, 200)
  t.equal((await ask(sandbox, cloudMessage(TO))).status, 429)
  t.strictSame((await ask(sandbox, { path: '/_sandbox/ledger' })).body.entries, [])
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  t.strictSame(await ended, [0, null])
})
