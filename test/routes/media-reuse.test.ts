import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { samples } from '../../src/media/samples.ts'
import { type Board, cloudSettings, startBoard } from '../helper.ts'

const bytes = Buffer.from(samples.image.base64, 'base64')
const put = async (board: Board, channel = 'cloud', filename = 'a.png', key?: string) => {
  const form = new FormData()
  form.set('channel', channel)
  form.set('file', new File([bytes], filename, { type: 'image/png' }))
  const made = new Response(form)
  const answer = await board.call('POST', '/media', {
    body: Buffer.from(await made.arrayBuffer()),
    headers: { 'content-type': made.headers.get('content-type')! },
    ...(key && { key })
  })
  if (answer.status !== 201) throw new Error(answer.text)
  return answer.body as { id: string; filename: string; expiresAt: string; createdAt: string; sha256: string }
}
const count = (board: Board, name: string) =>
  board.sandbox.ledger.entries.filter(({ operation }) => operation === `cloud.${name}`).length
const send = (board: Board, mediaId: string, to = '14155551234') =>
  board.call('POST', '/messages', { body: { channel: 'cloud', to, type: 'image', image: { mediaId } } })

t.test('the same bytes go up once, and each file lives and dies by itself', async t => {
  const board = await startBoard(t)
  const one = await put(board)
  const two = await put(board, 'cloud', 'b.png')
  t.equal(count(board, 'uploadMedia'), 1)
  t.not(one.id, two.id)
  t.match([one.filename, two.filename], ['a.png', 'b.png'])
  t.equal(two.expiresAt, one.expiresAt, 'no longer than the provider keeps it')
  for (const { id } of [one, two]) t.equal((await send(board, id)).status, 201)
  const used = board.sandbox.ledger.sends().map(({ body }) => (body as { image: { id: string } }).image.id)
  t.equal(used[0], used[1], 'one file at the provider')

  t.equal((await board.call('DELETE', `/media/${one.id}`)).status, 204)
  t.equal(count(board, 'deleteMedia'), 0, 'the other still needs it')
  t.equal((await board.call('GET', `/media/${one.id}`)).status, 404)
  t.equal((await send(board, two.id)).status, 201)
  board.sandbox.force({ operation: 'cloud.deleteMedia', fault: 'unavailable' })
  t.equal((await board.call('DELETE', `/media/${two.id}`)).status, 503)
  t.equal((await board.call('GET', `/media/${two.id}`)).status, 200, 'what could not be deleted there is here still')
  t.equal((await board.call('DELETE', `/media/${two.id}`)).status, 204)
  t.equal(count(board, 'deleteMedia'), 2)
  await put(board)
  t.equal(count(board, 'uploadMedia'), 2, 'what was deleted is not used again')
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('the last two that leave at once delete the file once', async t => {
  const board = await startBoard(t)
  const files = [await put(board), await put(board), await put(board)]
  const paths = [...files, ...files].map(({ id }) => `/media/${id}`)
  const answers = await Promise.all(paths.map(path => board.call('DELETE', path)))
  t.strictSame(answers.map(({ status }) => status).sort(), [204, 204, 204, 404, 404, 404])
  t.equal(count(board, 'deleteMedia'), 1)
})

t.test('only for the same service, mode, channel and number, and while it lives', async t => {
  const board = await startBoard(t)
  const uploads = async (work: () => Promise<unknown>): Promise<number> => {
    const before = count(board, 'uploadMedia')
    await work()
    return count(board, 'uploadMedia') - before
  }
  const settings = { ...cloudSettings }
  await board.call('POST', '/channels', {
    body: { id: 'other', provider: 'whatsapp-cloud', connectionId: 'c', settings }
  })
  t.equal(await uploads(() => put(board)), 1)
  t.equal(await uploads(() => put(board)), 0, 'CONTROL')
  t.equal(await uploads(() => put(board, 'other')), 1, 'another channel')
  const shipping = await board.key({ service: 'shipping' })
  t.equal(await uploads(() => put(board, 'cloud', 'a.png', shipping)), 1, 'another service')
  const test = await board.key({ mode: 'test' })
  t.match(await put(board, 'cloud', 'a.png', test), { mode: 'test' })
  await board.call('PATCH', '/channels/cloud', { body: { settings } })
  t.equal(await uploads(() => put(board)), 1, 'the channel was changed since')
  t.equal(await uploads(() => put(board)), 0)
  t.match(await send(board, (await put(board)).id, '15550100001'), { status: 422 })
  t.equal(await uploads(() => put(board)), 0, 'a refusal for another reason')
  const { directory, sandbox } = board
  await board.close()
  const db = new DatabaseSync(join(directory, 'switchboard.db'))
  db.exec(`update media set expires_at = expires_at - ${29 * 24 * 3600_000 + 1000}`)
  db.close()
  const again = await startBoard(t, { directory, sandbox })
  t.teardown(() => again.close())
  const before = count(again, 'uploadMedia')
  await put(again)
  t.equal(count(again, 'uploadMedia'), before + 1, 'less than a day is left of it')
})

t.test('a file that the provider has lost is uploaded anew', async t => {
  const board = await startBoard(t)
  const { id } = await put(board)
  await put(board)
  await send(board, id)
  const lost = (board.sandbox.ledger.sends()[0]!.body as { image: { id: string } }).image.id
  const native = await board.call('DELETE', `/channels/cloud/native/v24.0/${lost}`)
  t.equal(native.status, 200, native.text)
  t.match(await send(board, id), { status: 422, body: { code: 'message_rejected' } })
  const fresh = await put(board)
  t.equal(count(board, 'uploadMedia'), 2)
  t.equal((await send(board, fresh.id)).status, 201)
  await put(board)
  t.equal(count(board, 'uploadMedia'), 2, 'and the new one is used again')
})
