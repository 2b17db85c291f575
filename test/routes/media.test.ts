import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { samples } from '../../src/media/samples.ts'
import { type Answer, type Board, startBoard, until } from '../helper.ts'

const to = '14155551234'
const sample = (kind: keyof typeof samples) => Buffer.from(samples[kind].base64, 'base64')
interface Part {
  name: string
  value?: string
  file?: Uint8Array
  filename?: string
  type?: string
}
const boundary = 'switchboard-test-boundary'
const form = (parts: Part[], end = `--${boundary}--\r\n`): Buffer =>
  Buffer.concat([
    ...parts.flatMap(({ name, value, file, filename, type }) => [
      Buffer.from(
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n${type ? `Content-Type: ${type}\r\n` : ''}\r\n`
      ),
      Buffer.from(file ?? value ?? ''),
      Buffer.from('\r\n')
    ]),
    Buffer.from(end)
  ])
const post = (board: Board, body: Uint8Array, key?: string) =>
  board.call('POST', '/media', {
    body,
    ...(key && { key }),
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }
  })
const put = (board: Board, channel: string, file: Uint8Array, more: Partial<Part> = {}, key?: string) =>
  post(
    board,
    form([
      { name: 'channel', value: channel },
      { name: 'file', file, filename: 'a.png', type: 'image/png', ...more }
    ]),
    key
  )
const files = (board: Board) => readdirSync(join(board.directory, 'spool'))
/** Nothing is left on disk. A file goes a moment after the answer that it was for. */
const cleared = (list: () => string[]) => until(list, left => left.length === 0)
const refused = (t: Test, answer: Answer, status: number, code: string, name: string) => {
  t.equal(answer.status, status, name)
  t.match(answer.body, { code, outcome: 'not_sent' }, name)
}
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

t.test('a file goes up, is used in a message, comes down and is gone, through both providers', async t => {
  const board = await startBoard(t)
  const bytes = sample('image')
  for (const channel of ['cloud', 'wati']) {
    const answer = await put(board, channel, bytes)
    t.equal(answer.status, 201, channel)
    t.match(answer.body, {
      channel,
      mode: 'live',
      mimeType: 'image/png',
      size: bytes.length,
      sha256: sha256(bytes),
      filename: 'a.png'
    })
    t.equal(answer.headers.location, `/media/${answer.body.id}`)
    const path = `/media/${answer.body.id}`
    t.strictSame((await board.call('GET', path)).body, answer.body)
    const content = await board.call('GET', `${path}/content`)
    if (channel === 'cloud') refused(t, content, 422, 'unsupported', 'Meta’s bytes cannot be had through Maton')
    else {
      t.equal(content.status, 200)
      t.match(content.headers, {
        'content-type': 'image/png',
        'content-length': String(bytes.length),
        'content-disposition': "attachment; filename*=UTF-8''a.png",
        'x-content-type-options': 'nosniff'
      })
    }
    const image = { mediaId: answer.body.id, caption: 'Look' }
    const sent = await board.call('POST', '/messages', { body: { channel, to, type: 'image', image } })
    t.equal(sent.status, 201, `${channel}: by its id`)
    t.strictSame(sent.body.image, image, 'echoed as it was said')
    const seen = board.sandbox.ledger.entries.at(-1)!
    if (channel === 'cloud') t.match(seen.body, { image: { id: /^\d+$/, caption: 'Look' } })
    else {
      t.match(seen.body, [
        { name: 'file', filename: 'a.png', contentType: 'image/png', size: bytes.length, sha256: sha256(bytes) }
      ])
      t.equal(seen.query.caption, 'Look')
    }
    t.equal((await board.call('DELETE', path)).status, 204)
    t.equal((await board.call('GET', path)).status, 404)
    t.equal((await board.call('DELETE', path)).status, 404)
    const after = await board.call('POST', '/messages', { body: { channel, to, type: 'image', image } })
    t.match(after.body, { status: 400, errors: [{ path: '/image/mediaId' }] }, 'a deleted one is no file any more')
  }
  t.equal(
    board.sandbox.ledger.entries.filter(entry => entry.operation === 'cloud.deleteMedia').length,
    1,
    'at Meta too'
  )
  t.strictSame(board.sandbox.ledger.violations(), [])
  await cleared(() => files(board))
})

t.test('the type is read from the bytes, and a lie is refused before anything goes up', async t => {
  const board = await startBoard(t)
  const html = Buffer.from('<!doctype html><script>alert(1)</script>')
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')
  const before = board.sandbox.ledger.entries.length
  for (const channel of ['cloud', 'wati']) {
    for (const [name, bytes, more] of [
      ['HTML as PNG', html, {}],
      ['HTML as text', html, { type: 'text/plain' }],
      ['SVG', svg, { type: 'image/svg+xml' }],
      ['SVG as text', svg, { type: 'text/plain', filename: 'a.txt' }],
      ['a script', Buffer.from('#!/bin/sh\nrm -rf /\n'), { type: 'text/plain' }],
      ['PDF as PNG', sample('document'), {}],
      ['a program', Buffer.concat([Buffer.from('MZ'), Buffer.alloc(200)]), { type: 'application/octet-stream' }],
      ['GIF', Buffer.from('GIF89a\x01\x00\x01\x00\x00\x00\x00;'), { type: 'image/gif' }],
      ['nothing', Buffer.alloc(0), {}],
      ['an image that is too large', Buffer.concat([sample('image'), Buffer.alloc(6 * 1024 * 1024)]), {}]
    ] as const)
      refused(t, await put(board, channel, bytes, more), 422, 'media_rejected', `${channel}: ${name}`)
  }
  t.equal(board.sandbox.ledger.entries.length, before, 'nothing went up')
  await cleared(() => files(board))
  for (const [type, mimeType] of [
    ['application/octet-stream', 'image/png'],
    ['image/x-png', 'image/png']
  ] as const)
    t.match(
      (await put(board, 'wati', sample('image'), { type })).body,
      { mimeType },
      `CONTROL: a PNG declared as ${type}`
    )
  t.match((await put(board, 'cloud', Buffer.from('phone;name\n1;2\n'), { type: 'text/csv', filename: 'a.csv' })).body, {
    mimeType: 'text/csv'
  })
})

t.test('a file over 100 MB is a 413, and no more of it is read than that', async t => {
  const board = await startBoard(t)
  const head = sample('document')
  const answer = await put(board, 'wati', Buffer.concat([head, Buffer.alloc(100 * 1024 * 1024 + 1 - head.length)]), {
    type: 'application/pdf'
  })
  refused(t, answer, 413, 'payload_too_large', 'one byte over')
  await cleared(() => files(board))
})

t.test('a file’s name can neither leave its folder nor break a header', async t => {
  const board = await startBoard(t)
  for (const [filename, clean] of [
    ['../../etc/passwd.png', 'passwd.png'],
    ['..\\\\..\\\\boot.png', 'boot.png'],
    ['a%0d%0aX-Evil: 1.png', /^a.*png$/],
    ['rtl\u202egnp.exe.png', 'rtlgnp.exe.png'],
    ['käse €.png', 'käse €.png'],
    ['.htaccess', 'htaccess'],
    [`${'x'.repeat(300)}.png`, /^x{96}\.png$/],
    ['..', null],
    ["it's (1)*.png", "it's (1)_.png"]
  ] as const) {
    const answer = await put(board, 'wati', sample('image'), { filename })
    t.equal(answer.status, 201, filename.slice(0, 30))
    t.match({ filename: answer.body.filename }, { filename: clean })
    const content = await board.call('GET', `/media/${answer.body.id}/content`)
    t.match(content.headers['content-disposition'], /^attachment(; filename\*=UTF-8''[A-Za-z0-9%._~!-]+)?$/)
    t.notOk('x-evil' in content.headers)
  }
  await cleared(() => files(board))
})

t.test('a form that is not of the contract is a 400 that names the part', async t => {
  const board = await startBoard(t)
  const file: Part = { name: 'file', file: sample('image'), filename: 'a.png', type: 'image/png' }
  const channel: Part = { name: 'channel', value: 'wati' }
  const path = async (body: Uint8Array) => {
    const answer = await post(board, body)
    t.equal(answer.status, 400, answer.text)
    return answer.body.errors?.[0].path
  }
  t.equal(await path(form([])), '/file')
  t.equal(await path(form([channel])), '/file')
  t.equal(await path(form([channel, { name: 'file', value: 'text' }])), '/file', 'a field is no file')
  t.equal(await path(form([channel, { ...file, name: 'picture' }])), '/file')
  t.equal(await path(form([{ name: 'colour', value: 'red' }, file])), '/colour')
  t.equal(await path(form([channel, channel, file])), '/channel')
  t.equal(await path(form([{ name: 'channel', value: 'Not an id' }, file])), '/channel')
  t.equal(await path(form([{ name: 'channel', value: 'wa\0ti' }, file])), '/channel')
  t.equal(await path(form([file, channel])), '/channel', 'no default, and the channel stands behind')
  t.equal(await path(form([channel, file, { name: 'colour', value: 'red' }])), '/colour', 'behind the file as well')
  t.equal(await path(form([channel, { ...file, name: '__proto__' }])), '/', '__proto__')
  t.equal(await path(form([channel, file], '')), '/', 'cut off')
  t.equal(await path(form([channel, file]).subarray(0, 200)), '/', 'cut off inside the file')
  t.equal(await path(Buffer.from('hello')), '/', 'no form at all')
  t.equal(await path(form([channel, file, file])), '/file', 'two files')
  t.equal((await board.call('POST', '/media', { body: { channel: 'wati' } })).status, 400, 'JSON')
  t.equal(
    (
      await board.call('POST', '/media', {
        body: form([channel, file]),
        headers: { 'content-type': 'multipart/form-data' }
      })
    ).status,
    400,
    'no boundary'
  )
  t.equal((await put(board, 'nowhere', sample('image'))).status, 404)
  t.equal((await put(board, 'wati', sample('image'), {}, await board.key({ channels: ['cloud'] }))).status, 403)
  await cleared(() => files(board))
  t.equal(board.sandbox.ledger.entries.length, 0)
  t.equal((await post(board, form([channel, file]))).status, 201, 'CONTROL: a right one is taken')
})

t.test('a link to WATI is fetched by the guarded client and streamed on, and a private address is not', async t => {
  let asked = 0
  const site = createServer((request, response) => {
    asked++
    if (request.url === '/page') response.setHeader('content-type', 'text/html').end('<html>')
    else if (request.url === '/moved') response.writeHead(302, { location: '/a.png' }).end()
    else if (request.url === '/gone') response.writeHead(404).end()
    else response.setHeader('content-type', 'image/png').end(sample('image'))
  })
  await new Promise<void>(resolve => site.listen(0, '127.0.0.1', resolve))
  t.teardown(() => site.close())
  const { port } = site.address() as AddressInfo
  const send = (board: Board, link: string, key?: string) =>
    board.call('POST', '/messages', {
      body: { channel: 'wati', to, type: 'image', image: { link } },
      ...(key && { key })
    })

  const board = await startBoard(t, { env: { EGRESS_ALLOW: `127.0.0.1:${port}` } })
  const answer = await send(board, `http://127.0.0.1:${port}/pictures/a.png`)
  t.equal(answer.status, 201)
  t.strictSame(answer.body.warnings, [])
  t.match(board.sandbox.ledger.entries.at(-1)!.body, [
    { name: 'file', filename: 'a.png', sha256: sha256(sample('image')) }
  ])
  t.equal(asked, 1)
  for (const [name, link] of [
    ['a page', `http://127.0.0.1:${port}/page`],
    ['a redirect', `http://127.0.0.1:${port}/moved`],
    ['a 404', `http://127.0.0.1:${port}/gone`],
    ['another port', 'http://127.0.0.1:9/a.png'],
    ['the private network', 'https://10.0.0.1/a.png'],
    ['metadata', 'http://169.254.169.254/latest/meta-data'],
    ['a name of this machine', 'https://localhost/a.png'],
    ['a password', 'https://user:secret@example.com/a.png']
  ] as const)
    refused(t, await send(board, link), 422, 'media_rejected', name)
  const closed = await startBoard(t)
  refused(
    t,
    await send(closed, `http://127.0.0.1:${port}/a.png`),
    422,
    'media_rejected',
    'CONTROL: it was EGRESS_ALLOW that opened it'
  )
  t.equal(asked, 4, 'no request of the others arrived')
  t.equal(board.sandbox.ledger.sends().length + closed.sandbox.ledger.entries.length, 1, 'and nothing of them was sent')
  const test = await send(closed, `http://127.0.0.1:${port}/a.png`, await closed.key({ mode: 'test' }))
  t.match(test.body, { status: 'accepted', mode: 'test', warnings: [/a sample image was sent/] })
  t.equal(asked, 4, 'with a test key nothing is fetched')
  t.equal(closed.sandbox.ledger.entries.length, 0, 'and nothing reaches the live provider')
  await cleared(() => [...files(board), ...files(closed)])
})
