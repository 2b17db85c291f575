import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { type Sniffed, sniff, sniffFetched } from '../../src/media/sniff.ts'

const directory = await mkdtemp(join(tmpdir(), 'sniff-'))
t.teardown(() => rm(directory, { recursive: true }))

async function sniffed(bytes: Uint8Array | string, declaredType?: string, filename?: string): Promise<Sniffed> {
  const path = join(directory, randomUUID())
  await writeFile(path, bytes)
  const size = Buffer.byteLength(bytes)
  const file = { path, size, sha256: '', remove: async () => {}, ...(declaredType && { declaredType }) }
  return sniff({ ...file, ...(filename && { filename }) })
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const latin1 = (text: string) => Buffer.from(text, 'latin1')
const padded = (bytes: Buffer, to = 512) => Buffer.concat([bytes, Buffer.alloc(Math.max(0, to - bytes.length))])
const ftyp = (brand: string) => padded(Buffer.concat([hex('00000018'), latin1(`ftyp${brand}\0\0\0\0isommp42`)]))

/** A zip with stored entries, as much of one as a reader from the front needs. */
function zip(entries: Record<string, string>): Buffer {
  const parts: Buffer[] = []
  for (const [name, content] of Object.entries(entries)) {
    const header = Buffer.alloc(30)
    header.writeUInt32LE(0x04034b50, 0)
    header.writeUInt16LE(20, 4)
    header.writeUInt32LE(crc32(content), 14)
    header.writeUInt32LE(content.length, 18)
    header.writeUInt32LE(content.length, 22)
    header.writeUInt16LE(name.length, 26)
    parts.push(header, latin1(name), latin1(content))
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  return Buffer.concat([...parts, end])
}

const OPEN_XML = 'application/vnd.openxmlformats-officedocument.'
const office = (main: string) =>
  zip({ '[Content_Types].xml': `<Types><Override ContentType="${main}.main+xml"/></Types>` })
const ogg = (codec: Buffer) => padded(Buffer.concat([latin1('OggS'), Buffer.alloc(24), codec]))
const pngChunk = (type: string, size: number) => {
  const chunk = Buffer.alloc(12 + size)
  chunk.writeUInt32BE(size, 0)
  chunk.write(type, 4, 'latin1')
  return chunk
}
const png = (...chunks: string[]) =>
  Buffer.concat([
    hex('89504e470d0a1a0a'),
    pngChunk('IHDR', 13),
    ...chunks.map(type => pngChunk(type, 8)),
    pngChunk('IDAT', 64)
  ])
const webp = (form: string, flags = 0) =>
  padded(Buffer.concat([latin1('RIFF'), hex('00010000'), latin1(`WEBP${form}`), hex('0a000000'), Buffer.from([flags])]))

const JPEG = padded(hex('ffd8ffe000104a46494600010100'))
const PNG = png()
const PDF = padded(latin1('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n'))
const ID3 = latin1('ID3\x04\0\0\0\0\0\0')
const FRAME = padded(hex('fffb9064'))
const MP3 = Buffer.concat([ID3, FRAME])
const AAC = padded(hex('fff15080'))
const AMR = padded(latin1('#!AMR\n'))
const OPUS = ogg(latin1('OpusHead'))
const VORBIS = ogg(latin1('\x01vorbis'))
const MP4 = ftyp('isom')
const M4A = ftyp('M4A ')
const THREE_GP = ftyp('3gp4')
const CFB = padded(hex('d0cf11e0a1b11ae1'), 1024)
const DOCX = office(`${OPEN_XML}wordprocessingml.document`)
const XLSX = office(`${OPEN_XML}spreadsheetml.sheet`)
const PPTX = office(`${OPEN_XML}presentationml.presentation`)
const DOCM = office('application/vnd.ms-word.document.macroEnabled')

t.test('bytes and declaration agree, aliases included', async t => {
  const table: [string, Uint8Array | string, string | undefined, string][] = [
    ['JPEG', JPEG, 'image/jpeg', 'image/jpeg'],
    ['JPEG by its old name', JPEG, 'image/jpg', 'image/jpeg'],
    ['JPEG in capitals, with a parameter', JPEG, 'Image/JPEG; q=1', 'image/jpeg'],
    ['JPEG without a type', JPEG, undefined, 'image/jpeg'],
    ['JPEG as octets', JPEG, 'application/octet-stream', 'image/jpeg'],
    ['PNG', PNG, 'image/png', 'image/png'],
    ['APNG', png('acTL'), 'image/png', 'image/png'],
    ['WebP', webp('VP8 '), 'image/webp', 'image/webp'],
    ['PDF', PDF, 'application/pdf', 'application/pdf'],
    ['PDF by its old name', PDF, 'application/x-pdf', 'application/pdf'],
    ['MP3', MP3, 'audio/mpeg', 'audio/mpeg'],
    ['MP3 by its common name', MP3, 'audio/mp3', 'audio/mpeg'],
    ['MP3 without a tag', FRAME, 'audio/mpeg', 'audio/mpeg'],
    ['MP3 with padding behind the tag', padded(ID3), 'audio/mpeg', 'audio/mpeg'],
    ['AAC', AAC, 'audio/aac', 'audio/aac'],
    ['AAC by its old name', AAC, 'audio/x-aac', 'audio/aac'],
    ['AMR', AMR, 'audio/amr', 'audio/amr'],
    ['Opus', OPUS, 'audio/ogg; codecs=opus', 'audio/ogg'],
    ['Opus without its codec', OPUS, 'audio/ogg', 'audio/ogg'],
    ['Opus as audio/opus', OPUS, 'audio/opus', 'audio/ogg'],
    ['Opus without a type', OPUS, undefined, 'audio/ogg'],
    ['Vorbis', VORBIS, 'audio/ogg', 'application/ogg'],
    ['MP4', MP4, 'video/mp4', 'video/mp4'],
    ['MP4 of sound only', MP4, 'audio/mp4', 'audio/mp4'],
    ['M4A', M4A, 'audio/mp4', 'audio/mp4'],
    ['M4A by its common name', M4A, 'audio/x-m4a', 'audio/mp4'],
    ['M4V', ftyp('M4V '), 'video/mp4', 'video/mp4'],
    ['3GP', THREE_GP, 'video/3gpp', 'video/3gpp'],
    ['doc', CFB, 'application/msword', 'application/msword'],
    ['xls', CFB, 'application/vnd.ms-excel', 'application/vnd.ms-excel'],
    ['ppt', CFB, 'application/vnd.ms-powerpoint', 'application/vnd.ms-powerpoint'],
    ['docx', DOCX, `${OPEN_XML}wordprocessingml.document`, `${OPEN_XML}wordprocessingml.document`],
    ['xlsx', XLSX, undefined, `${OPEN_XML}spreadsheetml.sheet`],
    ['pptx', PPTX, 'application/octet-stream', `${OPEN_XML}presentationml.presentation`],
    ['GIF, which WhatsApp does not take', padded(latin1('GIF89a')), 'image/gif', 'image/gif'],
    ['text', 'Grüße\r\n\tok\n', 'text/plain; charset=utf-8', 'text/plain'],
    ['text with a byte order mark', '\ufeffGrüße', 'text/plain', 'text/plain'],
    ['text without a type', 'hello', undefined, 'text/plain'],
    ['CSV', 'a;b\n1;2\n', 'text/csv', 'text/csv'],
    ['CSV by another name', 'a;b\n1;2\n', 'application/csv', 'text/csv'],
    ['CSV that begins like a BMP', 'BMW;320\nBMW;520\n', 'text/csv', 'text/csv'],
    ['CSV that begins like an MP3', 'ID3;ID4\n1;2\n', 'text/csv', 'text/csv'],
    ['text that begins like a program', 'MZ-1 is a road', undefined, 'text/plain'],
    ['JSON', '{"a":1}', 'application/json', 'application/json'],
    ['text over many reads', 'ä€😀'.repeat(100_000), 'text/plain', 'text/plain']
  ]
  for (const [name, bytes, declared, mimeType] of table) t.match(await sniffed(bytes, declared), { mimeType }, name)
})

t.test('a file name settles what bytes and type leave open', async t => {
  t.strictSame(await sniffed(CFB, undefined, 'a.DOC'), { mimeType: 'application/msword' })
  t.match(await sniffed(CFB, undefined, 'a.msi'), { rejected: /x-cfb/ })
  t.match(await sniffed(CFB, undefined), { rejected: /without a type that settles it/ })
  t.strictSame(await sniffed('a,b', undefined, 'list.csv'), { mimeType: 'text/csv' })
  t.strictSame(await sniffed('a,b', 'application/vnd.ms-excel', 'list.csv'), { mimeType: 'text/csv' })
})

t.test('a lie about the type is rejected', async t => {
  const html = '<!DOCTYPE html><script>alert(1)</script>'
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
  const eicarLike = 'X5O!P%@AP[4-not-the-real-one'
  const table: [string, Uint8Array | string, string | undefined][] = [
    ['HTML as PNG', html, 'image/png'],
    ['HTML as PDF', html, 'application/pdf'],
    ['HTML as itself', html, 'text/html'],
    ['HTML as text', html, 'text/plain'],
    ['HTML after blanks', `\n\n  ${html}`, 'text/plain'],
    ['HTML after a byte order mark', `\ufeff${html}`, 'text/plain'],
    ['HTML after a comment', `<!-- hi -->${html}`, undefined],
    ['HTML without a type', html, undefined],
    ['XHTML', `<?xml version="1.0"?>${html}`, 'application/xhtml+xml'],
    ['SVG as PNG', svg, 'image/png'],
    ['SVG as itself', svg, 'image/svg+xml'],
    ['SVG as text', svg, 'text/plain'],
    ['SVG with a prologue as JPEG', `<?xml version="1.0"?>${svg}`, 'image/jpeg'],
    ['a PNG that calls itself a page', PNG, 'text/html'],
    ['a script', 'alert(1)', 'application/javascript'],
    ['a script as text/javascript', 'alert(1)', 'text/javascript'],
    ['a shell script as text', '#!/bin/sh\nreboot\n', 'text/plain'],
    ['text as PNG', eicarLike, 'image/png'],
    ['text as a Word file', eicarLike, 'application/msword'],
    ['PNG as JPEG', PNG, 'image/jpeg'],
    ['PNG as text', PNG, 'text/plain'],
    ['PNG behind an ID3 tag', Buffer.concat([ID3, PNG]), 'image/png'],
    ['PNG behind a byte order mark', Buffer.concat([hex('efbbbf'), PNG]), 'image/png'],
    ['PDF as PNG', PDF, 'image/png'],
    ['PDF as text', '%PDF-1.4 all ascii', 'text/plain'],
    ['PDF as MP4', PDF, 'video/mp4'],
    ['MP4 as PNG', MP4, 'image/png'],
    ['MP3 as Ogg', MP3, 'audio/ogg'],
    ['Ogg as MP3', OPUS, 'audio/mpeg'],
    ['a program as PDF', padded(latin1('MZ\x90\0')), 'application/pdf'],
    ['a program as text', padded(latin1('MZ\x90\0')), 'text/plain'],
    ['an ELF as PNG', padded(latin1('\x7fELF')), 'image/png'],
    ['docx as xlsx', DOCX, `${OPEN_XML}spreadsheetml.sheet`],
    ['macros as docx', DOCM, `${OPEN_XML}wordprocessingml.document`],
    ['a bare zip as docx', zip({ 'a.txt': 'a' }), `${OPEN_XML}wordprocessingml.document`],
    ['a jar as docx', zip({ 'META-INF/MANIFEST.MF': 'a' }), `${OPEN_XML}wordprocessingml.document`],
    ['an old Office file as PDF', CFB, 'application/pdf'],
    ['an old Office file as docx', CFB, `${OPEN_XML}wordprocessingml.document`],
    ['gzip as PNG', padded(hex('1f8b0800000000000003')), 'image/png'],
    ['text with NUL', 'a\0b', 'text/plain'],
    ['text in Latin-1', latin1('Gr\xfc\xdfe'), 'text/plain'],
    ['text in UTF-16', Buffer.from('\ufeffabc', 'utf16le'), 'text/csv'],
    ['text cut inside a character', Buffer.from('ä').subarray(0, 1), 'text/plain'],
    ['text with bytes far behind', Buffer.concat([Buffer.alloc(300_000, 'a'), hex('ff')]), 'text/plain'],
    ['noise', hex('8182838485868788'), undefined],
    ['nothing', '', 'image/png']
  ]
  for (const [name, bytes, declared] of table) {
    const result = await sniffed(bytes, declared)
    t.ok('rejected' in result && result.rejected.length > 10, `${name}: ${JSON.stringify(result)}`)
  }
})

t.test('a rejection says what the file is and what it came as', async t => {
  t.strictSame(await sniffed(PDF, 'image/png'), {
    rejected: 'the file is application/pdf but came declared as image/png; send it with its own type'
  })
})

t.test('animation is told for WebP and PNG, and the size of a WebP', async t => {
  t.match(await sniffed(webp('VP8X', 0x02), 'image/webp'), { mimeType: 'image/webp', animated: true })
  t.match(await sniffed(webp('VP8X', 0x10), 'image/webp'), { mimeType: 'image/webp', animated: false })
  t.match(await sniffed(webp('VP8L', 0x02), 'image/webp'), { mimeType: 'image/webp', animated: false })
  t.strictSame(await sniffed(png('acTL')), { mimeType: 'image/png', animated: true })
  t.strictSame(await sniffed(PNG), { mimeType: 'image/png', animated: false })
  t.strictSame(await sniffed(JPEG), { mimeType: 'image/jpeg' })
  const sized = (form: string, at: number, bytes: string) => {
    const file = webp(form)
    hex(bytes).copy(file, at)
    return sniffed(file, 'image/webp')
  }
  t.match(await sized('VP8X', 24, 'ff0100 ff0100'), { width: 512, height: 512 })
  t.match(await sized('VP8 ', 26, '0002 0001'), { width: 512, height: 256 })
  t.match(await sized('VP8L', 20, '2f ffc17f00'), { width: 512, height: 512 })
})

t.test('any bytes get an answer, and a picture type only with its signature', async () => {
  const heads = [
    ID3,
    hex('efbbbf'),
    Buffer.alloc(0),
    JPEG.subarray(0, 4),
    PNG,
    latin1('PK\x03\x04'),
    latin1('OggS'),
    latin1('RIFF'),
    CFB,
    MP4
  ]
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 300 }), async (head, tail) => {
      const bytes = Buffer.concat([head, tail])
      const result = await sniffed(bytes, 'image/png')
      return 'rejected' in result || bytes.subarray(0, 8).equals(PNG.subarray(0, 8))
    }),
    { numRuns: 300 }
  )
})

t.test('an error of our disk is thrown, not blamed on the file', async t => {
  const file = { path: join(directory, 'gone'), size: 1, sha256: '', remove: async () => {} }
  await t.rejects(sniff(file), { code: 'ENOENT' })
})

t.test('Open XML under an older name or as a zip is Open XML', async t => {
  const table = [
    [DOCX, 'wordprocessingml.document'],
    [XLSX, 'spreadsheetml.sheet'],
    [PPTX, 'presentationml.presentation']
  ] as const
  for (const [bytes, type] of table) {
    for (const as of ['msword', 'vnd.ms-excel', 'vnd.ms-powerpoint', 'zip', 'x-zip-compressed'])
      t.match(await sniffed(bytes, `application/${as}`), { mimeType: `${OPEN_XML}${type}` }, `${type} as ${as}`)
  }
})

t.test('of what a link gives the bytes decide', async t => {
  const fetched = async (bytes: Buffer | string, declaredType: string, filename?: string) => {
    const path = join(directory, randomUUID())
    await writeFile(path, bytes)
    const file = { path, size: Buffer.byteLength(bytes), sha256: '', remove: async () => {}, declaredType }
    return sniffFetched({ ...file, ...(filename && { filename }) })
  }
  for (const type of ['application/force-download', 'text/html', 'image/png', 'application/x-download', 'nonsense'])
    t.match(await fetched(PDF, type), { mimeType: 'application/pdf' }, type)
  t.match(
    await fetched(CFB, 'application/msword'),
    { mimeType: 'application/msword' },
    'what bytes leave open the host says'
  )
  t.match(await fetched(CFB, 'application/force-download', 'a.xls'), { mimeType: 'application/vnd.ms-excel' })
  t.match(await fetched('hello', 'application/pdf', 'a.txt'), { mimeType: 'text/plain' })
  t.match(await fetched('<!doctype html><p>gone', 'application/pdf'), { rejected: /markup/ })
  t.match(await fetched('<!doctype html><p>gone', 'text/html'), { rejected: /markup/ })
})
