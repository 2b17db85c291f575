import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { startSandbox } from '../../../src/sandbox/index.ts'
import { adminKey, cloudSettings, matonKey, until } from '../../helper.ts'
import { serve } from '../../process.ts'

const gone = (child: ChildProcess) => new Promise<number | null>(resolve => child.once('exit', resolve))
const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
const post = async (url: string, to: string, key?: string) => {
  const answer = await request(`${url}/messages`, {
    method: 'POST',
    headers: { ...headers, ...(key && { 'idempotency-key': key }) },
    body: JSON.stringify({ channel: 'cloud', to, type: 'text', text: { body: 'Hello' } })
  })
  return { status: answer.statusCode, text: await answer.body.text() }
}
const get = async (url: string, path: string) =>
  (await (await request(url + path, { headers })).body.json()) as Record<string, unknown>

function folder(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-crash-'))
  writeFileSync(
    join(directory, 'channels.json'),
    JSON.stringify({
      channels: [{ id: 'cloud', provider: 'whatsapp-cloud', connectionId: 'c', settings: cloudSettings }]
    })
  )
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

t.test('kill -9 in the middle of a send: the message is unknown, and its key sends nothing again', async t => {
  const sandbox = await startSandbox({ apiKey: matonKey })
  t.teardown(() => sandbox.close())
  const directory = folder(t)
  const first = await serve(directory, sandbox.url)
  const lost = post(first.url, '15550100008', 'k').catch(() => 'cut')
  await until(
    () => sandbox.ledger.entries.length,
    count => count === 1
  )
  first.child.kill('SIGKILL')
  await gone(first.child)
  t.equal(await lost, 'cut')

  const second = await serve(directory, sandbox.url)
  t.teardown(() => second.child.kill('SIGKILL'))
  const [message] = (await get(second.url, '/messages')).items as { id: string; status: string; final: boolean }[]
  t.match(message, { status: 'unknown', final: false })
  const replay = await post(second.url, '15550100008', 'k')
  t.equal(replay.status, 202)
  t.equal(JSON.parse(replay.text).id, message!.id, 'answered from the row')
  t.equal((await post(second.url, '15550100008', 'k')).text, replay.text, 'and the same bytes from then on')
  t.equal(sandbox.ledger.entries.length, 1, 'one request upstream in all')
})

t.test(
  'kill -9 under load: nothing that was answered is lost, nothing is sent twice, nothing is told wrong',
  async t => {
    const sandbox = await startSandbox({ apiKey: matonKey })
    t.teardown(() => sandbox.close())
    const directory = folder(t)
    const told = new Map<string, string>()
    for (let round = 0; round < 3; round++) {
      const { url, child } = await serve(directory, sandbox.url)
      let stop = false
      const senders = Array.from({ length: 8 }, async (_, i) => {
        for (let n = 0; !stop && n < 200; n++) {
          const to = `4917${round}${i}${String(n).padStart(6, '0')}`
          const answer = await post(url, to).catch(() => undefined)
          if (!answer) return
          const { id, status } = JSON.parse(answer.text) as { id: string; status: string }
          told.set(id, status)
        }
      })
      await until(
        () => told.size,
        size => size > (round + 1) * 60
      )
      child.kill('SIGKILL')
      stop = true
      await Promise.all([...senders, gone(child)])
    }
    const { url, child } = await serve(directory, sandbox.url)
    const processed = new Map<string, number>()
    for (const { to } of sandbox.ledger.sends()) processed.set(to!, (processed.get(to!) ?? 0) + 1)
    t.same(
      [...processed].filter(([, count]) => count > 1),
      [],
      'nothing was sent twice'
    )
    for (const [id, status] of told) {
      const row = (await get(url, `/messages/${id}`)) as { id?: string; status: string; to: string }
      if (row.id !== id || row.status !== status || (status === 'accepted' && processed.get(row.to) !== 1))
        t.fail(`${id} was told as ${status} and is ${row.status}`)
    }
    let cursor: string | null = ''
    let rows = 0
    while (cursor !== null) {
      const page: { items: { status: string; to: string }[]; nextCursor: string | null } = (await get(
        url,
        `/messages?limit=100${cursor && `&cursor=${cursor}`}`
      )) as never
      for (const { status, to } of page.items) {
        rows++
        if (status === 'queued' || status === 'sending') t.fail(`left in limbo: ${status}`)
        if (status === 'accepted' && processed.get(to) !== 1) t.fail('accepted, though not sent')
        if (status === 'failed' && processed.has(to)) t.fail('failed, though sent')
      }
      cursor = page.nextCursor
    }
    t.ok(rows >= told.size, `${rows} rows, ${told.size} answered`)
    child.kill('SIGTERM')
    t.equal(await gone(child), 0, 'SIGTERM ends it with 0')
  }
)

t.test('SIGTERM lets what is in flight finish, is not ready meanwhile, and ends with 0', async t => {
  const sandbox = await startSandbox({ apiKey: matonKey })
  t.teardown(() => sandbox.close())
  const { url, child } = await serve(folder(t), sandbox.url)
  const slow = post(url, '15550100007')
  await until(
    () => sandbox.ledger.entries.length,
    count => count === 1
  )
  const begun = performance.now()
  const end = gone(child)
  child.kill('SIGTERM')
  t.equal((await slow).status, 201)
  t.equal(await end, 0)
  t.ok(performance.now() - begun < 10_000)
})

t.test('a second process on the same folder is refused at once, by name', async t => {
  const sandbox = await startSandbox()
  t.teardown(() => sandbox.close())
  const directory = folder(t)
  const { child } = await serve(directory, sandbox.url)
  t.teardown(() => child.kill('SIGKILL'))
  await t.rejects(serve(directory, sandbox.url), /ended with 1: .*another Switchboard runs on this DATA_DIR/s)
})
