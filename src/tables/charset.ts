import { invalid } from '../errors.ts'

// Which encoding a table is in: told by its marks or by its sender, and never guessed between two that fit (docs/reliability.md T41).

interface Encoding {
  name: string
  /** Bytes of a byte order mark, which are no text. */
  mark: number
}

/** What the first bytes say for certain. A text without NUL, as a table is, has no other reading where UTF-16 has none. */
function markOf(head: Buffer): Encoding | undefined {
  const [a = 1, b = 1, c = 1, d = 1] = head
  if (a === 0xef && b === 0xbb && c === 0xbf) return { name: 'utf-8', mark: 3 }
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff))
    return { name: 'utf-32', mark: 4 }
  if (a === 0xff && b === 0xfe) return { name: 'utf-16le', mark: 2 }
  if (a === 0xfe && b === 0xff) return { name: 'utf-16be', mark: 2 }
  if (a !== 0 && b === 0 && c !== 0 && d === 0) return { name: 'utf-16le', mark: 0 }
  if (a === 0 && b !== 0 && c === 0 && d !== 0) return { name: 'utf-16be', mark: 0 }
  return undefined
}

/** Throws a 400 where there is no such encoding. */
export function requireCharset(charset: string, path: string): string {
  try {
    return new TextDecoder(charset).encoding
  } catch {
    throw invalid(path, 'must be the name of an encoding, such as utf-8, windows-1252, iso-8859-15 or utf-16le')
  }
}

/** The first byte that does not fit, which helps to find its place. */
function strangeByte(chunk: Buffer): string {
  const text = chunk.toString()
  const at = Buffer.byteLength(text.slice(0, text.indexOf('\uFFFD')))
  return chunk[at]?.toString(16).toUpperCase().padStart(2, '0') ?? '??'
}

/**
 * The bytes of a table in UTF-8, without a byte order mark.
 * @param charset what the sender says, which a byte order mark overrules; left out: the marks, else UTF-8
 * @param path of the table, for the 400 where the bytes do not fit
 */
export async function* inUtf8(
  bytes: AsyncIterable<Buffer>,
  charset: string | undefined,
  path: string
): AsyncGenerator<Buffer> {
  let name: string | undefined
  let decoder = new TextDecoder()
  const decode = (chunk?: Buffer): string => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined })
    } catch {
      if (name !== 'utf-8') throw invalid(path, `is not in the encoding ${name}`)
      const strange = chunk ? `the byte ${strangeByte(chunk)} does not fit` : 'it breaks off within a character'
      throw invalid(
        path,
        `is not UTF-8 (${strange}): save it as “CSV UTF-8” or .xlsx, or say what it is with charset, e.g. windows-1252 for Latin-1`
      )
    }
  }
  for await (const each of bytes) {
    let chunk = each
    if (name === undefined) {
      const { name: told, mark } = markOf(chunk) ?? { name: charset ?? 'utf-8', mark: 0 }
      if (told === 'utf-32') throw invalid(path, 'is UTF-32, which is not taken: save it as UTF-8')
      name = told
      decoder = new TextDecoder(told, { fatal: true, ignoreBOM: true })
      chunk = chunk.subarray(mark)
    }
    const text = decode(chunk)
    // Bytes that are UTF-8 stay what they are: a character that two chunks share is put together by the parser.
    if (name === 'utf-8') yield chunk
    else if (text !== '') yield Buffer.from(text)
  }
  if (name === undefined) return
  const rest = decode()
  if (rest !== '' && name !== 'utf-8') yield Buffer.from(rest)
}
