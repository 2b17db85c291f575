/** Places of the first and the last byte, from 0. */
export interface ByteRange {
  from: number
  to: number
}

/** What a download asked for: its headers Range and If-Range. */
export interface Wanted {
  range: string
  onlyOf?: string | undefined
}

/**
 * The part of a file that is asked for. Undefined is all of it: where the header cannot be read, names several ranges or
 * one that lies outside (a server may ignore the header, RFC 9110 section 14.2, and the contract has no code for 416),
 * and where the caller holds a part of something else.
 */
export function rangeOf({ range, onlyOf }: Wanted, file: { size: number; sha256: string }): ByteRange | undefined {
  if (onlyOf !== undefined && onlyOf !== `"${file.sha256}"`) return undefined
  const said = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(range)
  if (!said || file.size === 0) return undefined
  const [, first = '', last = ''] = said
  if (first === '') {
    const count = Number(last)
    return last === '' || count === 0 ? undefined : { from: Math.max(file.size - count, 0), to: file.size - 1 }
  }
  const from = Number(first)
  const to = last === '' ? file.size - 1 : Math.min(Number(last), file.size - 1)
  // bytes=5-2 is no range at all
  return from >= file.size || to < from ? undefined : { from, to }
}
