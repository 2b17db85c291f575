import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Key } from '../../schemas/keys.ts'
import type { ConsoleRequest } from '../http/console-door.ts'
import type { App } from '../http/fastify.ts'
import { createApi, Refused, whoHas, withQuery } from './api.ts'
import type { EndedSessions } from './ended.ts'
import { fieldsOf, fromOurPage, ownPath, queryOf, wayBack } from './forms.ts'
import { sendPage } from './pages.ts'
import { longestMs, type Session, type Sessions } from './sessions.ts'
import type { Visit } from './visit.ts'

/** Who is signed in, for the templates too. */
export interface Operator {
  key: Key
  admin: boolean
  now: number
  secret: string
  /** For the next form. */
  token: string
  once: string
}

export interface Gate {
  /** Lets a signed-in operator in; shows everybody else the sign-in. */
  admit: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>
  routes: (inner: FastifyInstance) => void
  visit: (request: FastifyRequest) => Visit
}

export interface GateParts {
  app: App
  sessions: Sessions
  ended: EndedSessions
  providers: readonly string[]
  clock: () => number
}

/** What a page asks for by itself: it is answered, and is no sign that somebody is there. */
const byItself = ({ headers }: ConsoleRequest): boolean => headers['hx-request'] === 'true'

/** Whether a key may look: with `admin` it may do everything, with the two others it only sees. */
const mayAct = ({ scopes }: Key): boolean => scopes.includes('admin')
const mayLook = (key: Key): boolean =>
  mayAct(key) || (key.scopes.includes('read_all') && key.scopes.includes('channels:read'))

const lacking = 'This page takes a key with the scope admin, or with read_all and channels:read, which then only shows.'
const strange = 'The form did not come from this page, or from one that is too old. Nothing was done: send it again.'
const onlyShows = 'This key only shows: whoever does something here needs a key with the scope admin. Nothing was done.'

const refusal = (status: number, title: string, detail: string): Refused =>
  new Refused({ status, title, detail, code: 'forbidden', outcome: 'not_sent' } as never)

export function createGate({ app, sessions, ended, providers, clock }: GateParts): Gate {
  const asker = ({ asked }: FastifyRequest, secret: string) => ({
    secret,
    address: asked.address,
    requestId: asked.requestId
  })

  /** The sign-in in place of what was asked for, which is gone on with afterwards. */
  const signIn = (request: FastifyRequest, reply: FastifyReply, status: number, words: string | undefined) => {
    const { asked } = request
    const fields = { ...queryOf(request), ...fieldsOf(request.body) }
    const wanted = asked.url.startsWith('/console/sign-') ? fields.next : wayBack(asked, fields)
    const page = { template: 'sign-in', title: 'Sign in', status }
    return sendPage(reply, asked, page, { words, next: ownPath(wanted) })
  }

  const sessionOf = async ({ asked }: FastifyRequest): Promise<Session | undefined> => {
    const session = sessions.read(asked.headers.cookie as string | undefined, asked.secure)
    return session && (await ended.has(session.id)) ? undefined : session
  }

  const admit: Gate['admit'] = async (request, reply) => {
    const { asked } = request
    const hadCookie = asked.headers.cookie?.includes('switchboard=') === true
    const session = await sessionOf(request)
    const over = hadCookie
      ? 'Your session has ended. Nothing was done since: sign in, and go on where you were.'
      : undefined
    if (!session) return signIn(request, reply, asked.method === 'GET' && !hadCookie ? 200 : 401, over)
    let key: Key
    try {
      key = await whoHas(app, asker(request, session.key))
    } catch (error) {
      if (!(error instanceof Refused) || error.problem.status !== 401) throw error
      reply.header('set-cookie', sessions.clear(asked.secure))
      return signIn(request, reply, 401, 'Your key has ended, and the session with it. Nothing was done.')
    }
    if (!mayLook(key)) return signIn(request, reply, 403, lacking)
    const admin = mayAct(key)
    const { key: secret } = session
    request.operator = { key, admin, secret, now: clock(), token: sessions.token(session), once: randomUUID() }
    if (asked.method === 'POST') {
      if (!fromOurPage(asked) || !sessions.isToken(session, fieldsOf(request.body).token))
        throw refusal(403, 'Not from this page', strange)
      if (!admin) throw refusal(403, 'This key only shows', onlyShows)
    }
    if (!byItself(asked) && sessions.stale(session)) reply.header('set-cookie', sessions.write(session, asked.secure))
  }

  return {
    admit,
    visit: request => {
      const { key, admin, secret, now } = request.operator!
      return {
        ...{ key, admin, now, providers },
        api: createApi(app, asker(request, secret)),
        params: request.params as Record<string, string>,
        fields: { ...queryOf(request), ...fieldsOf(request.body) }
      }
    },
    routes: inner => {
      inner.get('/console/sign-in', (request, reply) => signIn(request, reply, 200, undefined))
      inner.post('/console/sign-in', async (request, reply) => {
        const { asked } = request
        if (!fromOurPage(asked)) throw refusal(403, 'Not from this page', strange)
        const { key: given = '', next } = fieldsOf(request.body)
        try {
          const key = await whoHas(app, asker(request, given.trim()))
          if (!mayLook(key)) return await signIn(request, reply, 403, lacking)
        } catch (error) {
          if (!(error instanceof Refused)) throw error
          const { problem, retryAfter } = error
          if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
          return signIn(request, reply, problem.status, problem.detail)
        }
        reply.header('set-cookie', sessions.write(sessions.begin(given.trim()), asked.secure))
        return reply.redirect(ownPath(next), 303)
      })
      inner.post('/console/sign-out', async (request, reply) => {
        const { asked } = request
        const session = await sessionOf(request)
        if (session) {
          if (!fromOurPage(asked) || !sessions.isToken(session, fieldsOf(request.body).token))
            throw refusal(403, 'Not from this page', strange)
          await ended.end(session.id, session.startedAt + longestMs)
        }
        reply.header('set-cookie', sessions.clear(asked.secure))
        return reply.redirect(withQuery('/console/sign-in'), 303)
      })
    }
  }
}
