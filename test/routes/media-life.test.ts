import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { samples } from '../../src/media/samples.ts'
import { type Board, startBoard, until } from '../helper.ts'

const day = 24 * 3600_000
const bytes = Buffer.from(samples.image.base64, 'base64')
const put = async (board: Board, channel: string): Promise<string> => {
  const boundary = 'switchboard-test-boundary'
  const part = (head: string) => `--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n`
  const { body } = await board.call('POST', '/media', {
    body: Buffer.concat([
      Buffer.from(`${part('name="channel"')}\r\n${channel}\r\n`),
      Buffer.from(`${part('name="file"; filename="a.png"')}Content-Type: image/png\r\n\r\n`),
      bytes,
      Buffer.from(`\r\n--${boundary}--\r\n`)
    ]),
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }
  })
  return body.id
}
/** The database of a Switchboard that does not run. */
const inDatabase = <T>(directory: string, work: (db: DatabaseSync) => T): T => {
  const db = new DatabaseSync(join(directory, 'switchboard.db'))
  try {
    return work(db)
  } finally {
    db.close()
  }
}

t.test('what has expired is gone after a start, and what a waiting message needs is sent', async t => {
  const first = await startBoard(t)
  const { directory, sandbox } = first
  const [expired, needed] = [await put(first, 'wati'), await put(first, 'wati')]
  const sendAt = new Date(Date.now() + 40 * day).toISOString()
  const image = { mediaId: needed }
  const sent = await first.call('POST', '/messages', {
    body: { channel: 'wati', to: '14155551234', type: 'image', image, sendAt }
  })
  t.equal(sent.body.status, 'queued')
  t.equal(
    (await first.call('GET', `/media/${needed}`)).body.expiresAt,
    new Date(Date.parse(sendAt) + day).toISOString()
  )
  const { expiresAt } = (await first.call('GET', `/media/${expired}`)).body
  t.ok(Date.parse(expiresAt) < Date.parse(sendAt), 'CONTROL: by itself it would not have lived until then')
  await first.close()

  const old = `med_${(Date.now() - 40 * day).toString(16).padStart(12, '0')}${expired.slice(16)}`
  inDatabase(directory, db => {
    db.prepare('update media set id = ? where id = ?').run(old, expired)
    db.prepare('update media_chunks set media_id = ? where media_id = ?').run(old, expired)
    // As if 40 days had passed: everything but the message's own expiry lies that much further back.
    db.prepare('update media set expires_at = expires_at - ?').run(40 * day)
    db.prepare('update messages set run_at = run_at - ?, send_at = send_at - ?').run(40 * day, 40 * day)
  })
  const board = await startBoard(t, { directory, sandbox })
  t.teardown(() => board.close())
  const path = `/messages/${sent.body.id}`
  const done = await until(
    () => board.call('GET', path),
    ({ body }) => !['queued', 'sending'].includes(body.status)
  )
  t.equal(done.body.status, 'accepted', done.text)
  t.match(sandbox.ledger.sends(), [{ body: [{ name: 'file', filename: 'a.png', size: bytes.length }] }])
  t.equal((await board.call('GET', `/media/${old}`)).status, 404)
  const kept = () =>
    inDatabase(directory, db =>
      ['media', 'media_chunks'].flatMap(table => db.prepare(`select * from ${table}`).all().length)
    )
  t.strictSame(
    await until(kept, ([files, pieces]) => files === 1 && pieces === 1),
    [1, 1],
    'the expired one and its pieces are deleted, the other is not'
  )
  t.equal((await board.call('GET', `/media/${needed}/content`)).status, 200)
  t.match(board.log.join('\n'), '"files":1,"remembered":0,"pieces":1')
})

t.test('an id of a file in a conversation ends with its time, and listing begins it anew', async t => {
  const first = await startBoard(t)
  const { directory, sandbox } = first
  const idOf = async (board: Board): Promise<string> => {
    const { body } = await board.call('GET', '/contacts/14155551234/messages?channel=wati&limit=100')
    const found = body.items.find(({ type }: { type: string }) => type === 'image')
    return found?.image.mediaId
  }
  const id = await idOf(first)
  const before = (await first.call('GET', `/media/${id}`)).body
  t.equal(Date.parse(before.expiresAt) - Date.parse(before.createdAt), 30 * day)
  await first.close()
  inDatabase(directory, db => db.exec(`update remote_media set created_at = created_at - ${30 * day}`))
  const board = await startBoard(t, { directory, sandbox })
  t.teardown(() => board.close())
  t.equal((await board.call('GET', `/media/${id}`)).status, 404)
  t.equal((await board.call('GET', `/media/${id}/content`)).status, 404)
  t.equal(await idOf(board), id)
  const after = (await board.call('GET', `/media/${id}`)).body
  t.ok(after.createdAt > before.createdAt)
  t.equal(await idOf(board), id)
  t.strictSame((await board.call('GET', `/media/${id}`)).body, after, 'a young one is not written again')
})
