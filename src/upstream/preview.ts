import { target } from './request.ts'
import type { NativeRequest } from './wire.ts'

/** A request as it would stand on the wire, without what nobody may see. */
export interface Preview {
  method: string
  /** From Maton's host on; query apart. */
  path: string
  query: Record<string, string>
  headers: Record<string, string>
  body: unknown
}

const contentType = (body: NonNullable<NativeRequest['body']>): string => {
  if ('json' in body) return 'application/json'
  return 'form' in body ? 'application/x-www-form-urlencoded' : 'multipart/form-data'
}

/** What `createMaton` would send; a test holds the two together. Throws what it would throw. */
export function preview(app: string, request: NativeRequest): Preview {
  const { method, body } = request
  const url = new URL(`/${app}${target(request)}`, 'http://maton')
  const said = body && ('json' in body ? body.json : 'form' in body ? body.form : body.multipart)
  return {
    method,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: {
      authorization: 'Bearer [masked]',
      'maton-connection': '[masked]',
      'user-agent': 'switchboard',
      accept: 'application/json',
      'accept-encoding': 'identity',
      ...(body && { 'content-type': contentType(body) })
    },
    body: said ?? null
  }
}
