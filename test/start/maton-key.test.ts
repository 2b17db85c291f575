import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { request } from 'undici'
import { startSandbox } from '../../src/sandbox/index.ts'
import { adminKey, cloudSettings, matonKey, startBoard, until } from '../helper.ts'
import { serve } from '../process.ts'
import { place } from './starts.ts'

const wrong = 'maton-wrong-8c1f6b02d97a'
const message = { channel: 'cloud', to: '14155551234', type: 'text', text: { body: 'Hello' } }

t.test('another Maton key is taken once Maton takes it; one that it refuses changes nothing', async t => {
  const board = await startBoard(t)
  const key = await board.key()
  const send = async () => (await board.call('POST', '/messages', { key, body: message })).status
  const { replaceMatonKey } = board.board
  await t.rejects(replaceMatonKey(wrong), { message: 'Maton refuses the new key (401)' })
  t.equal(await send(), 201, 'the one before goes on')
  await replaceMatonKey(matonKey)
  t.equal(await send(), 201, 'the same key is no other')

  const other = await startBoard(t, { env: { MATON_API_KEY: wrong } })
  const theirs = await other.key()
  const body = (await other.call('POST', '/messages', { key: theirs, body: message })).body
  t.equal(body.code, 'channel_rejected', 'CONTROL: the key of the start is refused')
  await other.board.replaceMatonKey(matonKey)
  t.equal((await other.call('POST', '/messages', { key: theirs, body: message })).status, 201)
})

t.test('what is under way when the key is replaced ends with the key that it began with', async t => {
  const seen: string[] = []
  let release = () => {}
  const held = new Promise<void>(resolve => (release = resolve))
  const maton = createServer(async (incoming, answer) => {
    incoming.resume()
    seen.push(`${incoming.headers.authorization} ${incoming.url}`)
    if (incoming.url?.includes('/messages')) await held
    answer.setHeader('content-type', 'application/json')
    answer.end(JSON.stringify({ connections: [], messages: [{ id: 'wamid.1' }] }))
  })
  await new Promise<void>(resolve => maton.listen(0, '127.0.0.1', resolve))
  t.teardown(() => maton.close())
  const url = `http://127.0.0.1:${(maton.address() as AddressInfo).port}`
  const board = await startBoard(t, {
    env: { MATON_API_KEY: 'one-key-123', MATON_BASE_URL: url, MATON_CONTROL_URL: url }
  })
  const key = await board.key()
  const first = board.call('POST', '/messages', { key, body: message })
  await until(
    async () => seen.length,
    count => count > 0
  )
  await board.board.replaceMatonKey('another-key-456')
  release()
  t.equal((await first).status, 201, 'not cut')
  t.equal((await board.call('POST', '/messages', { key, body: message })).status, 201)
  const of = (path: string) => seen.filter(line => line.includes(path)).map(line => line.split(' ')[1])
  t.strictSame(of('/messages'), ['one-key-123', 'another-key-456'])
})

t.test('SIGHUP reads MATON_API_KEY_FILE again; a wrong key leaves the old one working and is told', async t => {
  const directory = place(t)
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
  t.teardown(() => sandbox.close())
  const channel = { id: 'cloud', provider: 'whatsapp-cloud', connectionId: 'c', settings: cloudSettings }
  writeFileSync(join(directory, 'channels.json'), JSON.stringify({ channels: [channel] }))
  const keyFile = join(directory, 'maton-key')
  writeFileSync(keyFile, `${matonKey}\n`)
  const server = await serve(directory, sandbox.url, { MATON_API_KEY_FILE: keyFile, MATON_CONTROL_URL: sandbox.url })
  t.teardown(() => server.child.kill('SIGKILL'))
  const call = async (method: 'GET' | 'POST', path: string, body?: object) => {
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
    const answer = await request(server.url + path, { method, headers, body: body ? JSON.stringify(body) : null })
    return { status: answer.statusCode, body: (await answer.body.json()) as { reason?: string } }
  }
  const ready = async () => (await call('GET', '/readyz')).body.reason ?? 'ok'
  const hup = async (content: string | undefined, said: RegExp) => {
    const before = server.output().length
    if (content !== undefined) writeFileSync(keyFile, content)
    server.child.kill('SIGHUP')
    await until(
      async () => server.output().slice(before),
      text => said.test(text)
    )
  }
  await hup(undefined, /the Maton key was read again/)
  await hup(wrong, /the Maton key was not applied, what was there goes on/)
  t.match(await ready(), /the Maton key was not applied.*Maton refuses the new key/)
  t.equal((await call('POST', '/messages', message)).status, 201, 'the old one goes on')
  await hup('', /MATON_API_KEY_FILE is empty/)
  await hup('two words', /MATON_API_KEY must be printable/)
  t.match(await ready(), /MATON_API_KEY must be printable/)
  await hup(`${matonKey}\n`, /the Maton key was read again/)
  t.notMatch(await ready(), /Maton key/)
  t.notMatch(server.output(), new RegExp(`${wrong}|${matonKey}|two words`), 'and no line holds one')
  server.child.kill('SIGTERM')
  t.equal(await server.ended, 0)
})
