import t from 'tap'
import {
  checkMedia,
  essence,
  kindsOf,
  LARGEST_MEDIA,
  MEDIA_KINDS,
  type MediaKind,
  uploadType
} from '../../src/media/kinds.ts'

const DOCX = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'

t.test('a type belongs to the kinds that take it', async t => {
  const table: [string, MediaKind[]][] = [
    ['image/jpeg', ['image']],
    ['IMAGE/PNG ', ['image']],
    ['image/webp', ['sticker']],
    ['audio/ogg; codecs=opus', ['audio']],
    ['audio/mp4', ['audio']],
    ['video/3gpp', ['video']],
    ['application/pdf', ['document']],
    ['text/csv', ['document']],
    [DOCX, ['document']],
    ['image/gif', []],
    ['text/html', []],
    ['', []],
    ['constructor', []]
  ]
  for (const [type, kinds] of table) t.strictSame(kindsOf(type), kinds, type)
})

t.test('no type is in two kinds, so a kind can be told from a type', async t => {
  for (const { types } of Object.values(MEDIA_KINDS)) for (const type of types) t.equal(kindsOf(type).length, 1, type)
})

t.test('each kind takes a file of exactly its size, and no byte more', async t => {
  for (const [kind, { types, maxBytes }] of Object.entries(MEDIA_KINDS) as [
    MediaKind,
    (typeof MEDIA_KINDS)['image']
  ][]) {
    for (const mimeType of types) {
      t.equal(checkMedia({ kind, mimeType, size: maxBytes }), null)
      t.equal(checkMedia({ mimeType, size: maxBytes }), null, 'without a kind too')
      t.match(checkMedia({ kind, mimeType, size: maxBytes + 1 }), { rule: 'size', detail: `${maxBytes}` })
      t.match(checkMedia({ mimeType, size: maxBytes + 1 }), { rule: 'size' })
    }
  }
  t.equal(LARGEST_MEDIA, 104_857_600)
})

t.test('an animated sticker may be larger', async t => {
  const sticker = { kind: 'sticker', mimeType: 'image/webp' } as const
  t.equal(checkMedia({ ...sticker, size: 512_000, animated: true }), null)
  t.match(checkMedia({ ...sticker, size: 512_001, animated: true }), {
    rule: 'size',
    detail: /animated sticker may have 512000/
  })
  t.match(checkMedia({ ...sticker, size: 102_401, animated: false }), {
    rule: 'size',
    detail: /; sticker may have 102400/
  })
  t.equal(checkMedia({ kind: 'image', mimeType: 'image/png', size: 600_000, animated: true }), null)
})

t.test('a type that the kind does not take is refused, with what would do', async t => {
  t.match(checkMedia({ kind: 'image', mimeType: 'image/webp', size: 1 }), {
    rule: 'type',
    detail: 'image/webp cannot be sent as image message (WebP is for stickers only); accepted: image/jpeg, image/png'
  })
  t.match(checkMedia({ kind: 'audio', mimeType: 'application/ogg', size: 1 }), { rule: 'type', detail: /must be Opus/ })
  t.match(checkMedia({ mimeType: 'application/zip', size: 1 }), {
    rule: 'type',
    detail: /as media; accepted: image\/jpeg/
  })
  t.match(checkMedia({ kind: 'video', mimeType: 'image/png', size: 1 }), { rule: 'type' })
})

t.test('an empty file is refused', async t => {
  t.match(checkMedia({ kind: 'image', mimeType: 'image/png', size: 0 }), { rule: 'empty' })
})

t.test('CSV goes up as plain text', async t => {
  t.equal(uploadType('text/csv; charset=utf-8'), 'text/plain')
  t.equal(uploadType('image/png'), 'image/png')
  t.equal(essence(' Text/Plain ;x'), 'text/plain')
})
