import { openAsBlob } from 'node:fs'
import { type Dispatcher, FormData } from 'undici'
import { type MultipartPart, type NativeRequest, UpstreamFailure } from './wire.ts'

/** What cannot be put on the wire is a defect of ours: it never left, and another try would end the same way. */
export function unsendable(error: unknown): never {
  const { code, name } = error as NodeJS.ErrnoException
  throw new UpstreamFailure('the request cannot be written', {
    kind: 'unsendable',
    started: false,
    cause: code ?? name
  })
}

/** Path and query of a request, each segment encoded. `.` and `..` stay themselves when encoded, so they are refused (T15). */
export function target({ path, query }: NativeRequest): string {
  let result = ''
  for (const segment of path) {
    if (segment === '' || segment === '.' || segment === '..' || !segment.isWellFormed())
      unsendable(new RangeError('an empty, relative or broken path segment must not reach a provider'))
    result += `/${encodeURIComponent(segment)}`
  }
  if (!query) return result
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.append(name, String(value))
  return search.size > 0 ? `${result}?${search}` : result
}

export async function encodeBody(
  body: NativeRequest['body']
): Promise<{ body: Dispatcher.DispatchOptions['body']; contentType?: string }> {
  if (!body) return { body: null }
  if ('json' in body) return { body: JSON.stringify(body.json), contentType: 'application/json' }
  if ('form' in body)
    return { body: new URLSearchParams(body.form).toString(), contentType: 'application/x-www-form-urlencoded' }
  // undici sets the content type with its boundary, and the length, since every part knows its own.
  return { body: await multipart(body.multipart) }
}

async function multipart(parts: readonly MultipartPart[]): Promise<FormData> {
  const form = new FormData()
  for (const part of parts) {
    if ('value' in part) form.append(part.name, part.value)
    else form.append(part.name, await openAsBlob(part.file.path, { type: part.file.mimeType }), part.file.filename)
  }
  return form
}
