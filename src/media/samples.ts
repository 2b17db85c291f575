import type { MediaKind } from './kinds.ts'

/**
 * The smallest files that are what they say, one a kind. In sandbox mode and with test keys links are not fetched, since
 * nothing may leave the machine: one of these is sent in their place.
 */
export const samples: Readonly<Record<MediaKind, { mimeType: string; filename: string; base64: string }>> = {
  image: {
    mimeType: 'image/png',
    filename: 'sample.png',
    base64: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
  },
  document: {
    mimeType: 'application/pdf',
    filename: 'sample.pdf',
    base64: Buffer.from(
      '%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n'
    ).toString('base64')
  },
  // An Ogg page that opens an Opus stream.
  audio: {
    mimeType: 'audio/ogg',
    filename: 'sample.ogg',
    base64: Buffer.concat([
      Buffer.from('OggS\0\x02', 'latin1'),
      Buffer.alloc(8),
      Buffer.from([1, 0, 0, 0]),
      Buffer.alloc(8),
      Buffer.from([1, 19]),
      Buffer.from('OpusHead\x01\x01', 'latin1'),
      Buffer.from([0x38, 1, 0x80, 0xbb, 0, 0, 0, 0, 0])
    ]).toString('base64')
  },
  // The file type box of an MP4.
  video: {
    mimeType: 'video/mp4',
    filename: 'sample.mp4',
    base64: Buffer.concat([
      Buffer.from([0, 0, 0, 24]),
      Buffer.from('ftypmp42', 'latin1'),
      Buffer.alloc(4),
      Buffer.from('mp42isom', 'latin1')
    ]).toString('base64')
  },
  sticker: {
    mimeType: 'image/webp',
    filename: 'sample.webp',
    base64: 'UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=='
  }
}
