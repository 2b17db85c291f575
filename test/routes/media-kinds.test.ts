import { createServer } from 'node:http'
import t from 'tap'
import { samples } from '../../src/media/samples.ts'
import { type Answer, type Board, startBoard, until } from '../helper.ts'
import { listen } from '../upstream/site.ts'

const to = '14155551234'
const bytesOf = (kind: keyof typeof samples) => Buffer.from(samples[kind].base64, 'base64')
/** The form is made by the platform: what a browser sends. */
async function put(
  board: Board,
  channel: string,
  file: Uint8Array<ArrayBuffer>,
  type: string,
  name: string
): Promise<Answer> {
  const form = new FormData()
  form.set('channel', channel)
  form.set('file', new Blob([file], { type }), name)
  const made = new Response(form)
  return board.call('POST', '/media', {
    body: Buffer.from(await made.arrayBuffer()),
    headers: { 'content-type': made.headers.get('content-type')! }
  })
}
const send = (board: Board, channel: string, type: string, media: object, path = '/messages') =>
  board.call('POST', path, { body: { channel, to, type, [type]: media } })
const sends = (board: Board) => board.sandbox.ledger.entries.filter(entry => entry.kind === 'send')
const box = (type: string, ...parts: Buffer[]): Buffer => {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(8 + parts.reduce((sum, part) => sum + part.length, 0))
  head.write(type, 4, 'latin1')
  return Buffer.concat([head, ...parts])
}
const movie = (kind: string, codec: string) =>
  Buffer.concat([
    box('ftyp', Buffer.from('isom\0\0\0\0isommp42')),
    box(
      'moov',
      box(
        'trak',
        box(
          'mdia',
          box('hdlr', Buffer.alloc(8), Buffer.from(kind), Buffer.alloc(13)),
          box('minf', box('stbl', box('stsd', Buffer.alloc(8), box(codec, Buffer.alloc(70)))))
        )
      )
    )
  ])

t.test('a file that does not fit its kind is refused before it is sent, through both providers', async t => {
  const board = await startBoard(t)
  const kinds = ['image', 'document', 'audio', 'video', 'sticker'] as const
  let refusals = 0
  for (const channel of ['cloud', 'wati']) {
    for (const file of kinds) {
      const { body } = await put(board, channel, bytesOf(file), samples[file].mimeType, samples[file].filename)
      for (const kind of kinds) {
        for (const path of ['/messages/validate', '/messages']) {
          const before = sends(board).length
          const answer = await send(board, channel, kind, { mediaId: body.id }, path)
          const name = `${path} ${channel}: ${file} as ${kind}`
          if (kind === file) t.ok(answer.status < 300, name)
          else {
            t.match([answer.status, answer.body.code, answer.body.outcome], [422, 'media_rejected', 'not_sent'], name)
            t.match(answer.body.errors, [{ path: `/${kind}/mediaId` }], name)
            t.equal(sends(board).length, before)
            refusals++
          }
        }
      }
      if (channel !== 'cloud' || file === 'image') continue
      const header = { header: { image: { mediaId: body.id } }, body: 'Hi', buttons: [{ title: 'Yes' }] }
      t.match((await send(board, channel, 'buttons', header)).body, { code: 'media_rejected' }, `${file} in a header`)
      const template = { name: 'spring_sale', variables: ['Ada'], header: { image: { mediaId: body.id } } }
      t.match((await send(board, channel, 'template', template)).body, { code: 'media_rejected' })
    }
  }
  t.equal(refusals, 80)
})

t.test('what WhatsApp takes and may not show is told', async t => {
  const board = await startBoard(t)
  for (const channel of ['cloud', 'wati']) {
    const hevc = (await put(board, channel, Buffer.from(movie('vide', 'hvc1')), 'video/mp4', 'a.mp4')).body
    const sticker = (await put(board, channel, bytesOf('sticker'), 'image/webp', 'a.webp')).body
    for (const path of ['/messages/validate', '/messages']) {
      t.match(
        (await send(board, channel, 'video', { mediaId: hevc.id }, path)).body.warnings,
        [/H\.265.*Convert/],
        path
      )
      const said = (await send(board, channel, 'sticker', { mediaId: sticker.id }, path)).body.warnings
      t.match(said, [/1 × 1 pixels: WhatsApp wants 512 × 512/], path)
      t.equal(said.length, 1)
    }
    const sound = (await put(board, channel, Buffer.from(movie('soun', 'mp4a')), 'video/mp4', 'a.mp4')).body
    t.equal(sound.mimeType, 'audio/mp4')
    t.equal((await send(board, channel, 'audio', { mediaId: sound.id })).status, 201, 'an MP4 of sound goes as audio')
    t.match((await send(board, channel, 'video', { mediaId: sound.id })).body, { code: 'media_rejected' })
  }
})

/** What the provider was given: a JSON body, or the parts of a form. */
const given = (board: Board) => sends(board).at(-1)!

t.test('a document always has a name, with the ending of what it is', async t => {
  const board = await startBoard(t)
  const pdf = bytesOf('document')
  const cloud = (await put(board, 'cloud', pdf, 'application/pdf', 'invoice.php')).body
  t.equal(cloud.filename, 'invoice.pdf')
  const dry = async (channel: string, type: string, media: object) =>
    (await send(board, channel, type, media, '/messages/validate')).body.request
  const shown = async (media: object) => (await dry('cloud', 'document', media)).body.document.filename
  t.equal(await shown({ mediaId: cloud.id }), 'invoice.pdf')
  t.equal(await shown({ mediaId: cloud.id, filename: '..\\x/a\u202eb.docx' }), 'ab.pdf', 'cleaned, with its own ending')
  t.equal(await shown({ link: 'https://files.example/R%C3%A4chnung.pdf?t=1' }), 'Rächnung.pdf')
  t.equal(await shown({ link: 'https://files.example/invoice.php' }), 'invoice')
  t.equal(await shown({ link: 'https://files.example/' }), 'document')
  t.equal(await shown({ link: 'https://files.example/x.pdf', filename: ' a/b:c.pdf' }), 'b_c.pdf')
  const header = { document: { link: 'https://files.example/terms.pdf' } }
  const buttons = { header, body: 'Hi', buttons: [{ title: 'Yes' }] }
  t.equal((await dry('cloud', 'buttons', buttons)).body.interactive.header.document.filename, 'terms.pdf')
  t.equal((await dry('wati', 'buttons', buttons)).body.header.media.fileName, 'terms.pdf')
  t.equal((await dry('cloud', 'image', { link: 'https://files.example/a.png' })).body.image.filename, undefined)

  const wati = (await put(board, 'wati', pdf, 'application/pdf', 'offer')).body
  t.equal(wati.filename, 'offer.pdf')
  t.match((await dry('wati', 'document', { mediaId: wati.id })).query, { caption: 'offer.pdf' })
  t.notMatch((await dry('wati', 'image', { link: 'https://files.example/a.png' })).query, { caption: /./ })
})

t.test('for a link the bytes decide, and WATI’s document has a caption', async t => {
  const pdf = bytesOf('document')
  const server = createServer((request, response) => {
    const disposition = request.url?.includes('named')
      ? { 'content-disposition': 'attachment; filename="Offer.bin"' }
      : {}
    response.writeHead(200, { 'content-type': 'application/force-download', ...disposition }).end(pdf)
  })
  const port = await listen(t, server)
  const board = await startBoard(t, { env: { EGRESS_ALLOW: `127.0.0.1:${port}` } })
  const cases = [
    [{ link: `http://127.0.0.1:${port}/invoice.php` }, 'invoice.pdf', 'invoice.pdf'],
    [{ link: `http://127.0.0.1:${port}/named` }, 'Offer.pdf', 'Offer.pdf'],
    [{ link: `http://127.0.0.1:${port}/x`, filename: 'Yours.pdf' }, 'Yours.pdf', 'Yours.pdf'],
    [{ link: `http://127.0.0.1:${port}/x`, caption: 'Read this' }, 'x.pdf', 'Read this']
  ] as const
  for (const [media, filename, caption] of cases) {
    const { body } = await send(board, 'wati', 'document', media)
    await until(
      () => board.call('GET', `/messages/${body.id}`),
      answer => answer.body.status === 'accepted'
    )
    const { query, body: parts } = given(board)
    t.equal(query.caption, caption)
    t.match(parts, [{ filename, contentType: 'application/pdf' }], JSON.stringify(parts))
  }
})
