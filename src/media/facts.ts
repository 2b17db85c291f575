import { type FileHandle, open } from 'node:fs/promises'
import type { MediaKind } from './kinds.ts'

// What the head of a file tells beyond its type. Read box by box at their places: a parser of the whole file would hold
// 100 MB of it for two words.

/** What is known of a file beside its type; members that could not be read are absent. */
export interface MediaFacts {
  /** Of WebP and PNG. */
  animated?: boolean
  /** Of a sticker, in pixels. */
  width?: number
  height?: number
  /** The picture codec of an MP4, as its sample description calls it, e.g. avc1 or hvc1. */
  codec?: string
}

/** Codecs of an MP4's tracks by what they are for. */
export interface Tracks {
  video: string[]
  sound: string[]
}

const mostBoxes = 2000
interface Box {
  type: string
  begin: number
  end: number
}

/**
 * The tracks of an MP4 or 3GP; undefined where the file does not tell (no `moov`, or boxes that do not fit).
 * ISO/IEC 14496-12: size and type, then what is inside.
 */
export async function tracksOf(path: string): Promise<Tracks | undefined> {
  const file = await open(path)
  let left = mostBoxes
  async function* boxes({ begin, end }: Omit<Box, 'type'>): AsyncGenerator<Box> {
    for (let at = begin; at + 8 <= end && left > 0; left--) {
      const head = await read(file, at, 16)
      if (head.length < 8) return
      const type = head.toString('latin1', 4, 8)
      const short = head.readUInt32BE(0)
      // 1: the size stands behind the type; 0: to the end
      const long = short === 1 && head.length === 16 ? Number(head.readBigUInt64BE(8)) : 0
      const size = short === 0 ? end - at : short === 1 ? long : short
      if (size < (short === 1 ? 16 : 8) || at + size > end) return
      yield { type, begin: at + (short === 1 ? 16 : 8), end: at + size }
      at += size
    }
  }
  const inside = async (box: Omit<Box, 'type'>, ...path: string[]): Promise<Box | undefined> => {
    const [type, ...rest] = path
    for await (const each of boxes(box)) {
      if (each.type === type) return rest.length === 0 ? each : inside(each, ...rest)
    }
    return undefined
  }
  const word = async (box: Box | undefined, offset: number): Promise<string> =>
    box ? (await read(file, box.begin + offset, 4)).toString('latin1').trim() : ''
  try {
    const { size } = await file.stat()
    const movie = await inside({ begin: 0, end: size }, 'moov')
    if (!movie) return undefined
    const tracks: Tracks = { video: [], sound: [] }
    for await (const track of boxes(movie)) {
      if (track.type !== 'trak') continue
      const kind = await word(await inside(track, 'mdia', 'hdlr'), 8)
      const codec = await word(await inside(track, 'mdia', 'minf', 'stbl', 'stsd'), 12)
      if (kind === 'vide') tracks.video.push(codec)
      if (kind === 'soun') tracks.sound.push(codec)
    }
    return tracks
  } finally {
    await file.close()
  }
}

async function read(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at)
  return buffer.subarray(0, bytesRead)
}

/** Width and height of a WebP from its head (RFC 9649); undefined where the head is too short for them. */
export function webpSize(head: Buffer): { width: number; height: number } | undefined {
  const form = head.toString('latin1', 12, 16)
  if (head.length < 30) return undefined
  if (form === 'VP8X') return { width: head.readUIntLE(24, 3) + 1, height: head.readUIntLE(27, 3) + 1 }
  if (form === 'VP8 ') return { width: head.readUInt16LE(26) & 0x3fff, height: head.readUInt16LE(28) & 0x3fff }
  const bits = head.readUInt32LE(21)
  return form === 'VP8L' ? { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 } : undefined
}

/** Names for people; what is not here is H.264 or older, which WhatsApp plays. */
const unplayable: Readonly<Record<string, string>> = {
  hvc1: 'H.265',
  hev1: 'H.265',
  dvh1: 'H.265',
  dvhe: 'H.265',
  av01: 'AV1',
  vp08: 'VP8',
  vp09: 'VP9'
}
const stickerPixels = 512

/** A sentence for each thing that WhatsApp takes and the recipient may not see right (docs/upstream.md 4.5). */
export function remarksOn(kind: MediaKind, { codec, width, height }: MediaFacts): string[] {
  const name = codec === undefined ? undefined : unplayable[codec]
  const odd = width !== undefined && height !== undefined && (width !== stickerPixels || height !== stickerPixels)
  return [
    ...(name !== undefined && kind === 'video'
      ? [`The video’s pictures are ${name} (${codec}): WhatsApp plays H.264, and phones may show nothing. Convert it.`]
      : []),
    ...(odd && kind === 'sticker'
      ? [`The sticker has ${width} × ${height} pixels: WhatsApp wants 512 × 512, and may not show it.`]
      : [])
  ]
}
