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

/** What a browser would send of a page's own form, and where to. */
export interface Form {
  action: string
  fields: Record<string, string>
  /** Every field that it has, boxes without a tick and files too. */
  names: string[]
  button: string | undefined
}

const characters: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
const unescaped = (text: string): string => text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => characters[name]!)
const attribute = (tag: string, name: string): string | undefined => {
  const found = new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1]
  return found === undefined ? undefined : unescaped(found)
}
/** The words of a piece of a page, without its marks. */
export const wordsOf = (html: string): string =>
  unescaped(html.replace(/<[^>]*>/g, ' '))
    .replace(/\s+/g, ' ')
    .trim()

/** The form of a page's act as it is rendered: each field with the value that it has before anybody touches it. */
export function formOf(html: string): Form {
  const form = /<form method="post"[^>]*class="form[\s\S]*?<\/form>/.exec(html)?.[0]
  if (form === undefined) throw new Error(`no form on this page: ${wordsOf(html).slice(0, 300)}`)
  const fields: Record<string, string> = {}
  const names: string[] = []
  for (const [tag, , kind] of form.matchAll(/<(?:(input)\b[^>]*>|(select|textarea)\b[^>]*>[\s\S]*?<\/\2>)/g)) {
    const name = attribute(tag, 'name')
    const type = attribute(tag, 'type')
    if (name === undefined) continue
    names.push(name)
    if (type === 'file') continue
    if (kind === 'textarea') fields[name] = unescaped(/>([\s\S]*)<\/textarea>/.exec(tag)![1]!)
    else if (kind === 'select') {
      const options = [...tag.matchAll(/<option\b[^>]*>([^<]*)/g)]
      const [option = '', words = ''] = options.find(([each]) => / selected\b/.test(each)) ?? options[0] ?? []
      fields[name] = attribute(option, 'value') ?? unescaped(words)
    } else if (type !== 'checkbox' || / checked\b/.test(tag)) fields[name] = attribute(tag, 'value') ?? ''
  }
  const button = /<button class="(?:main|danger)">([^<]*)<\/button>/.exec(form)?.[1]
  return { action: attribute(/^<form[^>]*>/.exec(form)![0], 'action')!, fields, names, button }
}

/** Somebody who knows of the page only what it shows: each link, form and button of it is one step. */
export interface Walk {
  /** The page before them. */
  page: () => string
  words: () => string
  steps: () => number
  /** Opens the first link whose words fit, of the table's row that fits where one is meant; throws where the page has none. */
  follow: (words: RegExp, row?: RegExp) => Promise<string>
  /** Sends the page's form with what is changed in it, and goes where that leads. Throws where it was refused. */
  press: (changes?: Record<string, string | undefined>) => Promise<string>
  /** Goes to an address by hand, which counts for nothing. */
  open: (path: string) => Promise<string>
}

export function walk(one: Operator): Walk {
  let text = ''
  let steps = 0
  const show = (page: Page): string => {
    if (page.status !== 200) throw new Error(`${page.status}: ${wordsOf(page.text).slice(0, 600)}`)
    text = page.text
    return text
  }
  const open = async (path: string) => show(await one.get(path))
  return {
    page: () => text,
    words: () => wordsOf(/<main[\s\S]*<\/main>/.exec(text)?.[0] ?? text),
    steps: () => steps,
    open,
    follow: async (words, row) => {
      const rows = row
        ? [...text.matchAll(/<tr>[\s\S]*?<\/tr>/g)].filter(([each]) => row.test(wordsOf(each)))
        : [[text]]
      const links = [...(rows[0]?.[0] ?? '').matchAll(/<a\b[^>]*href="[^"]*"[^>]*>([\s\S]*?)<\/a>/g)]
      const link = links.find(([, inner]) => words.test(wordsOf(inner!)))
      if (!link) throw new Error(`no link ${words} on: ${wordsOf(text).slice(0, 2000)}`)
      steps += 1
      return open(attribute(link[0], 'href')!)
    },
    press: async (changes = {}) => {
      const { action, fields, names, button } = formOf(text)
      if (button === undefined) throw new Error('the form has no button')
      for (const name of Object.keys(changes)) if (!names.includes(name)) throw new Error(`the form has no ${name}`)
      const sent = Object.entries({ ...fields, ...changes }).filter(([, value]) => value !== undefined)
      steps += 1
      const answer = await one.post(action, Object.fromEntries(sent) as Record<string, string>)
      return answer.status === 303 ? open(String(answer.headers.location)) : show(answer)
    }
  }
}
