import { createHash } from 'node:crypto'
import t from 'tap'
import { samples } from '../../src/media/samples.ts'
import { type Board, startBoard } from '../helper.ts'

/** Three pieces in the store, the last of them short; no two stretches are alike. */
const bytes = Buffer.from(Array.from({ length: 60_000 }, (_, i) => `line ${i}\n`).join(''))
const etag = `"${createHash('sha256').update(bytes).digest('hex')}"`
const piece = 256 * 1024

const put = async (board: Board, channel: string, file: Uint8Array, type: string): Promise<string> => {
  const form = new FormData()
  form.set('channel', channel)
  form.set('file', new File([Buffer.from(file)], 'a', { type }))
  const made = new Response(form)
  const { body } = await board.call('POST', '/media', {
    body: Buffer.from(await made.arrayBuffer()),
    headers: { 'content-type': made.headers.get('content-type')! }
  })
  return body.id
}

t.test('one range of the kept bytes', async t => {
  const board = await startBoard(t)
  const id = await put(board, 'wati', bytes, 'text/plain')
  const get = (headers: Record<string, string>) => board.call('GET', `/media/${id}/content`, { headers })
  const size = bytes.length
  t.ok(size > 2 * piece, 'CONTROL: it lies in several pieces')
  const whole = await get({})
  t.match(whole, { status: 200, headers: { 'accept-ranges': 'bytes', 'content-length': `${size}`, etag } })
  t.equal(whole.text, bytes.toString())
  t.notOk('content-range' in whole.headers)
  for (const [range, from, to] of [
    ['bytes=0-0', 0, 0],
    ['bytes=0-9', 0, 9],
    ['bytes=10-', 10, size - 1],
    ['bytes=-10', size - 10, size - 1],
    [`bytes=-${size + 5}`, 0, size - 1],
    [`bytes=${size - 1}-`, size - 1, size - 1],
    [`bytes=${size - 5}-${size + 1000}`, size - 5, size - 1],
    [`bytes=${piece - 1}-${piece}`, piece - 1, piece],
    [`bytes=${piece}-${2 * piece - 1}`, piece, 2 * piece - 1],
    [`bytes=5-${2 * piece + 5}`, 5, 2 * piece + 5],
    ['BYTES=3-4', 3, 4]
  ] as const) {
    const part = await get({ range })
    t.equal(part.status, 206, range)
    t.equal(part.headers['content-range'], `bytes ${from}-${to}/${size}`, range)
    t.equal(part.headers['content-length'], `${to - from + 1}`, range)
    t.ok(part.text === bytes.subarray(from, to + 1).toString(), `${range}: these bytes and no other`)
    t.match(part.headers, { etag, 'accept-ranges': 'bytes', 'content-type': 'text/plain' })
  }
  for (const range of [
    `bytes=${size}-`,
    `bytes=${size + 5}-${size + 9}`,
    'bytes=-0',
    'bytes=5-2',
    'bytes=0-1,4-5',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=0x1-2',
    'bytes=--5',
    'bytes=1e3-',
    'lines=0-1',
    `bytes=${'9'.repeat(400)}-`,
    ''
  ]) {
    const all = await get({ range })
    t.equal(all.status, 200, `${range.slice(0, 30)}: all of it`)
    t.equal(all.text.length, size)
    t.notOk('content-range' in all.headers)
  }
  t.equal((await get({ range: 'bytes=0-9', 'if-range': etag })).status, 206)
  for (const other of ['"x"', `W/${etag}`, 'Fri, 20 Nov 2026 09:30:00 GMT'])
    t.equal((await get({ range: 'bytes=0-9', 'if-range': other })).status, 200, `If-Range: ${other}`)
  t.equal(
    (await board.call('GET', `/media/med_${'0'.repeat(32)}/content`, { headers: { range: 'bytes=0-1' } })).status,
    404
  )
})

t.test('where the bytes are not kept here a range changes nothing', async t => {
  const board = await startBoard(t)
  const id = await put(board, 'cloud', Buffer.from(samples.image.base64, 'base64'), 'image/png')
  const headers = { range: 'bytes=0-1' }
  t.match(await board.call('GET', `/media/${id}/content`, { headers }), { status: 422, body: { code: 'unsupported' } })
  const history = await board.call('GET', '/contacts/14155551234/messages?channel=wati')
  const far = history.body.items.find(({ type }: { type: string }) => type === 'image').image.mediaId
  const answer = await board.call('GET', `/media/${far}/content`, { headers })
  t.equal(answer.status, 200)
  t.notOk('accept-ranges' in answer.headers)
})
