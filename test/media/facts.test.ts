import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type Sniffed, sniff } from '../../src/media/sniff.ts'
import { costMs } from '../cost.ts'

const directory = await mkdtemp(join(tmpdir(), 'facts-'))
t.teardown(() => rm(directory, { recursive: true }))

async function sniffed(bytes: Uint8Array, declaredType?: string): Promise<Sniffed> {
  const path = join(directory, randomUUID())
  await writeFile(path, bytes)
  return sniff({ path, size: bytes.length, sha256: '', remove: async () => {}, ...(declaredType && { declaredType }) })
}

const box = (type: string, ...parts: Buffer[]): Buffer => {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(8 + parts.reduce((sum, part) => sum + part.length, 0))
  head.write(type, 4, 'latin1')
  return Buffer.concat([head, ...parts])
}
const track = (kind: string, codec: string) =>
  box(
    'trak',
    box('tkhd', Buffer.alloc(84)),
    box(
      'mdia',
      box('mdhd', Buffer.alloc(24)),
      box('hdlr', Buffer.alloc(8), Buffer.from(kind), Buffer.alloc(13)),
      box('minf', box('stbl', box('stsd', Buffer.alloc(8), box(codec, Buffer.alloc(70)))))
    )
  )
const movie = (brand: string, ...tracks: Buffer[]) =>
  Buffer.concat([
    box('ftyp', Buffer.from(`${brand}\0\0\0\0isommp42`)),
    box('mdat', Buffer.alloc(100_000, 1)),
    box('moov', box('mvhd', Buffer.alloc(100)), ...tracks)
  ])

t.test('an MP4 is what its tracks are', async t => {
  const sound = track('soun', 'mp4a')
  const pictures = track('vide', 'avc1')
  const table: [string, Buffer, string | undefined, object][] = [
    ['sound alone', movie('isom', sound), 'video/mp4', { mimeType: 'audio/mp4' }],
    ['sound alone, without a type', movie('isom', sound), undefined, { mimeType: 'audio/mp4' }],
    ['sound alone, as it is', movie('mp42', sound), 'audio/mp4', { mimeType: 'audio/mp4' }],
    ['an M4A as a video', movie('M4A ', sound), 'video/mp4', { mimeType: 'audio/mp4' }],
    ['pictures and sound', movie('isom', pictures, sound), 'video/mp4', { mimeType: 'video/mp4', codec: 'avc1' }],
    ['H.265', movie('isom', sound, track('vide', 'hvc1')), 'video/mp4', { mimeType: 'video/mp4', codec: 'hvc1' }],
    ['pictures as sound', movie('isom', pictures, sound), 'audio/mp4', { rejected: /video\/mp4/ }],
    ['no track at all', movie('isom'), 'audio/mp4', { rejected: /video\/mp4/ }],
    [
      'a box longer than its file',
      Buffer.concat([
        box('ftyp', Buffer.from('isom\0\0\0\0isommp42')),
        Buffer.from('0000ffff6d6f6f76', 'hex'),
        Buffer.alloc(64)
      ]),
      'audio/mp4',
      { mimeType: 'audio/mp4' }
    ]
  ]
  for (const [name, bytes, declared, expected] of table) t.match(await sniffed(bytes, declared), expected, name)
  const many = movie('isom', ...Array.from({ length: 50_000 }, () => box('free')), sound)
  t.match(await sniffed(many, 'video/mp4'), { mimeType: 'video/mp4' })
  t.ok((await costMs(() => sniffed(many, 'video/mp4'))) < 2000, 'a file of boxes alone is given up')
})
