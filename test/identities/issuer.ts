import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import type { Test } from 'tap'
import { listen } from '../upstream/site.ts'

type Pair = Awaited<ReturnType<typeof generateKeyPair>>
interface SigningKey {
  kid: string
  alg: string
  pair: Pair
}

export interface TestIssuer {
  url: string
  /** `host:port`, as EGRESS_ALLOW opens it. */
  host: string
  /** Every request, oldest first. */
  seen: { path: string; authorization: string | undefined }[]
  /** A further signing key; the newest signs. */
  rotate: (alg?: string) => Promise<SigningKey>
  /** Takes the oldest key out of the published ones. */
  withdraw: () => void
  /** Answers in place of the issuer, where it wants to. */
  answer: RequestListener | undefined
  key: () => SigningKey
  /** A token that lives for five minutes, unless `claims` say otherwise; undefined takes a claim away. */
  token: (claims?: JWTPayload, signed?: Partial<SigningKey> & { header?: object }) => Promise<string>
}

export const audience = 'switchboard'

/**
 * A listening issuer with keys of its own. It answers as OpenID Connect Discovery says.
 * @param tls what it shows to callers by https; absent: plain http
 */
export async function startIssuer(t: Test, tls?: { key: Buffer; cert: Buffer }): Promise<TestIssuer> {
  const keys: SigningKey[] = []
  const seen: TestIssuer['seen'] = []
  const send = (response: ServerResponse, body: unknown): void => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  const issue = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    seen.push({ path: request.url!, authorization: request.headers.authorization })
    if (issuer.answer) return issuer.answer(request, response)
    if (request.url === '/.well-known/openid-configuration')
      return send(response, { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` })
    if (request.url !== '/jwks') return void response.writeHead(404).end()
    const published = keys.map(async ({ kid, alg, pair }) => ({ ...(await exportJWK(pair.publicKey)), kid, alg }))
    send(response, { keys: await Promise.all(published) })
  }
  const answered: RequestListener = (request, response) => void issue(request, response)
  const port = await listen(t, tls ? createTlsServer(tls, answered) : createServer(answered))
  const issuer: TestIssuer = {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    seen,
    answer: undefined,
    rotate: async (alg = 'ES256') => {
      const made = { kid: `key-${keys.length + 1}`, alg, pair: await generateKeyPair(alg, { extractable: true }) }
      keys.push(made)
      return made
    },
    withdraw: () => void keys.shift(),
    key: () => keys.at(-1)!,
    token: async (claims = {}, signed = {}) => {
      const { kid, alg, pair } = { ...keys.at(-1)!, ...signed }
      const now = Math.floor(Date.now() / 1000)
      const whole = {
        iss: issuer.url,
        aud: audience,
        sub: 'repo:acme/shop:ref:refs/heads/main',
        exp: now + 300,
        ...claims
      }
      const said = Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined))
      return new SignJWT(said).setProtectedHeader({ alg, kid, ...signed.header }).sign(pair.privateKey)
    }
  }
  await issuer.rotate()
  return issuer
}
