import type { FastifyReply } from 'fastify'
import type { Problem } from '../../schemas/problem.ts'
import type { ConsoleRequest } from '../http/console-door.ts'
import { acts } from './acts/index.ts'
import { type Call, curlOf } from './api.ts'
import { marks } from './marks.ts'
import type { Visit } from './visit.ts'
import { wordsAt } from './words.ts'

/** Nothing runs and nothing is loaded but our own two files; nobody may frame it, and no form leads elsewhere. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/** `same-origin` and not `no-referrer`: with that one a browser names no Origin when a form is sent. */
const headers = {
  'content-security-policy': policy,
  'referrer-policy': 'same-origin',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store'
}

export const nav: readonly (readonly [path: string, label: string])[] = [
  ['/console', 'Overview'],
  ['/console/backlog', 'Backlog'],
  ['/console/messages', 'Messages'],
  ['/console/unknown', 'Unknown'],
  ['/console/broadcasts', 'Broadcasts'],
  ['/console/channels', 'Channels'],
  ['/console/templates', 'Templates'],
  ['/console/subscriptions', 'Subscriptions'],
  ['/console/keys', 'Keys'],
  ['/console/identities', 'Identities'],
  ['/console/audit', 'Audit'],
  ['/console/usage', 'Usage'],
  ['/console/test', 'Test message']
]

export interface Page {
  template: string
  title: string
  status?: number
  everySeconds?: number
  problem?: Problem
  /** The requests of the API that the page does. */
  calls?: readonly Call[]
}

/** What was done, where an act has led here: its own words, named by a number, so that no link can put others there. */
function saidBy(url: string): string | undefined {
  const done = new URLSearchParams(url.split('?')[1]).get('done')
  return done === null ? undefined : acts[Number(done)]?.done
}

/** The part of the navigation that a page belongs to: the longest of its addresses that it begins with. */
function partOf(path: string): string {
  const fits = nav.map(([href]) => href).filter(href => path === href || path.startsWith(`${href}/`))
  return fits.sort((a, b) => b.length - a.length)[0] ?? ''
}

/** Sends a page. All that a template is given besides `data` stands here. */
export async function sendPage(
  reply: FastifyReply,
  asked: ConsoleRequest,
  { template, title, status = 200, everySeconds, problem, calls = [] }: Page,
  data: Record<string, unknown>,
  signedIn?: Pick<Visit, 'key' | 'admin' | 'now'> & { token: string }
): Promise<FastifyReply> {
  const now = signedIn?.now ?? Date.now()
  const path = asked.url.split('?')[0]!
  const html = await (reply as unknown as { viewAsync: (name: string, data: object) => Promise<string> }).viewAsync(
    template,
    {
      ...{
        title,
        nav,
        problem,
        said: saidBy(asked.url),
        base: asked.base,
        path,
        url: asked.url,
        everySeconds,
        now,
        marks
      },
      ...{ part: partOf(path), curls: calls.map(call => curlOf(call, asked.origin + asked.base)) },
      w: wordsAt(now),
      me: signedIn,
      ...data
    }
  )
  return reply.code(status).headers(headers).type('text/html; charset=utf-8').send(html)
}
