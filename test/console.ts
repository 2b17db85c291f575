import { request } from 'undici'
import { adminKey, type Board } from './helper.ts'

// An operator's browser as far as tests without one need it: a cookie, and forms sent from the page itself.

export interface Page {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

export interface Operator {
  get: (path: string, headers?: Record<string, string>) => Promise<Page>
  /** Sends a form with the token and the once of the page at `path`, or of another. */
  post: (path: string, fields?: Record<string, string>, headers?: Record<string, string>) => Promise<Page>
  cookie: () => string
  setCookie: (cookie: string) => void
}

export const fieldValue = (html: string, name: string): string =>
  new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? ''

export function operator({ url }: Board): Operator {
  let cookie = ''
  const ask = async (
    method: 'GET' | 'POST',
    path: string,
    headers: Record<string, string>,
    body?: string
  ): Promise<Page> => {
    const answer = await request(url + path, {
      method,
      headers: { ...(cookie !== '' && { cookie }), ...headers },
      ...(body !== undefined && { body })
    })
    const set = [answer.headers['set-cookie'] ?? []].flat()[0]
    if (set) cookie = /Max-Age=0/.test(set) ? '' : set.split(';')[0]!
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
  }
  const get: Operator['get'] = (path, headers = {}) => ask('GET', path, headers)
  return {
    get,
    post: async (path, fields = {}, headers = {}) => {
      const page = cookie === '' || fields.token !== undefined ? '' : (await get(path)).text
      const own = { token: fieldValue(page, 'token'), once: fieldValue(page, 'once') }
      const form = new URLSearchParams({ ...own, ...fields })
      const sent = { 'content-type': 'application/x-www-form-urlencoded', origin: url, ...headers }
      return ask('POST', path, sent, String(form))
    },
    cookie: () => cookie,
    setCookie: given => {
      cookie = given
    }
  }
}

/** An operator who has signed in. */
export async function signedIn(board: Board, key = adminKey): Promise<Operator> {
  const one = operator(board)
  const { status, text } = await one.post('/console/sign-in', { key })
  if (status !== 303) throw new Error(`not signed in: ${status} ${text}`)
  return one
}
