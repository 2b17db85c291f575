import type { FastifyRequest } from 'fastify'
import type { ConsoleRequest } from '../http/console-door.ts'

/** A form's fields as text; what stands there twice counts once, the last. */
export const fieldsOf = (body: unknown): Record<string, string> =>
  typeof body === 'object' && body !== null ? (body as Record<string, string>) : {}

/** Whether a form came from a page of ours: by its Origin, which no page can make up, and what the browser says of it. */
export function fromOurPage(asked: ConsoleRequest): boolean {
  const { origin, host, 'sec-fetch-site': site } = asked.headers
  if (typeof origin !== 'string' || (site !== undefined && site !== 'same-origin')) return false
  // Behind a proxy that names another host only PUBLIC_URL says who we are.
  return origin === asked.origin || URL.parse(origin)?.host === host
}

const kept = 2000

/** Where to go on after signing in: the page that was asked for, a form with what was filled in. */
export function wayBack({ url, method }: ConsoleRequest, fields: Record<string, string>): string {
  if (method === 'GET') return url
  const { token: _, once: __, ...filled } = fields
  const query = String(new URLSearchParams(filled))
  const path = url.split('?')[0]!
  return query === '' || query.length > kept ? path : `${path}?${query}`
}

/** An address of the page alone: nobody is led elsewhere by a link to the sign-in. */
export const ownPath = (next: string | undefined): string =>
  next !== undefined && /^\/console(?:[/?][^\\]*)?$/.test(next) && !next.startsWith('/console/sign-')
    ? next
    : '/console'

export const queryOf = (request: FastifyRequest): Record<string, string> => {
  const query = request.query as Record<string, string | string[]>
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String([value].flat().at(-1) ?? '')]))
}
