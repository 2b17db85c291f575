import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { Provider } from 'oidc-provider'
import t from 'tap'
import { request } from 'undici'
import { parseAllDocuments } from 'yaml'
import { startBoard, until } from '../helper.ts'
import { startPostgres } from '../store/postgres.ts'
import { listen } from '../upstream/site.ts'
import { audience, startIssuer } from './issuer.ts'

t.test('a real OIDC provider: a client of it comes in with the token that it was given', async t => {
  let answer: RequestListener = () => {}
  const port = await listen(
    t,
    createServer((incoming, response) => answer(incoming, response))
  )
  const issuer = `http://127.0.0.1:${port}`
  const client = { client_id: 'checkout', client_secret: 'secret-of-checkout' }
  const provider = new Provider(issuer, {
    clients: [{ ...client, grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
    features: {
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: async () => ({ scope: 'send', audience, accessTokenFormat: 'jwt' })
      }
    }
  })
  answer = provider.callback()
  const board = await startBoard(t, { env: { EGRESS_ALLOW: `127.0.0.1:${port}` } })
  const known = { issuer, audience, claims: { sub: 'checkout' }, scopes: ['messages:send', 'messages:read'] }
  const made = await board.call('POST', '/identities', { body: { service: 'checkout', mode: 'live', ...known } })
  t.equal(made.status, 201)
  const asked = { grant_type: 'client_credentials', ...client, scope: 'send', resource: 'urn:switchboard' }
  const granted = await request(`${issuer}/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(asked).toString()
  })
  const { access_token: token } = (await granted.body.json()) as { access_token: string }
  t.match(await board.call('GET', '/keys/self', { key: token }), { status: 200, body: { id: made.body.id } })
  const body = { channel: 'cloud', to: '14155551234', type: 'text', text: { body: 'Hello' } }
  t.equal((await board.call('POST', '/messages', { key: token, body })).status, 201)
  await board.call('DELETE', `/identities/${made.body.id}`)
  t.equal((await board.call('GET', '/keys/self', { key: token })).status, 401)
})

t.test('a job of GitHub Actions and a pod of Kubernetes, with the claims that they have there', async t => {
  const issuer = await startIssuer(t)
  const board = await startBoard(t, { env: { EGRESS_ALLOW: issuer.host } })
  const make = async (service: string, claims: object) => {
    const known = { issuer: issuer.url, audience, claims, scopes: ['messages:read'] }
    t.equal((await board.call('POST', '/identities', { body: { service, mode: 'live', ...known } })).status, 201)
  }
  const sub = 'repo:acme/shop:environment:production'
  await make('ci', { sub: 'repo:acme/shop:*', repository: 'acme/shop', ref: 'refs/heads/main' })
  await make('checkout', { sub: 'system:serviceaccount:shop:checkout' })
  const github = {
    ...{ sub, environment: 'production', ref: 'refs/heads/main', repository: 'acme/shop', repository_owner: 'acme' },
    ...{ repository_id: '74', repository_visibility: 'private', actor: 'octocat', workflow: 'deploy' },
    ...{ event_name: 'push', run_id: '30433642', runner_environment: 'github-hosted' },
    job_workflow_ref: 'acme/shop/.github/workflows/deploy.yml@refs/heads/main'
  }
  const self = async (claims: Record<string, unknown>) => {
    const { status, body } = await board.call('GET', '/keys/self', { key: await issuer.token(claims) })
    return status === 200 ? body.service : status
  }
  t.equal(await self(github), 'ci')
  t.equal(await self({ ...github, ref: 'refs/pull/7/merge' }), 401, 'a pull request')
  t.equal(await self({ ...github, repository: 'evil/shop', sub: 'repo:evil/shop:environment:production' }), 401)
  const pod = {
    sub: 'system:serviceaccount:shop:checkout',
    aud: [audience],
    'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'checkout', uid: '1' }, pod: { name: 'checkout-1' } }
  }
  t.equal(await self(pod), 'checkout')
  t.equal(await self({ ...pod, sub: 'system:serviceaccount:other:checkout' }), 401)
  t.equal(
    await self({ ...pod, aud: ['https://kubernetes.default.svc'] }),
    401,
    'the API server’s token is none of ours'
  )
  const manifest = readFileSync(new URL('../../deploy/kubernetes/client-identity.yaml', import.meta.url), 'utf8')
  const [account, deployment] = parseAllDocuments(manifest).map(each => each.toJS())
  t.match(account, { kind: 'ServiceAccount', metadata: { name: 'checkout', namespace: 'shop' } })
  const [volume] = deployment.spec.template.spec.volumes
  t.match(volume.projected.sources, [{ serviceAccountToken: { audience } }], 'the manifest asks for that audience')
})

t.test('a revocation is heard by another replica within five seconds', async t => {
  const cluster = await startPostgres(t)
  const issuer = await startIssuer(t)
  const database = { DATABASE_URL: cluster.url(await cluster.database()), KEY_PEPPER: 'p'.repeat(32) }
  const env = { ...database, EGRESS_ALLOW: issuer.host }
  const one = await startBoard(t, { env })
  const other = await startBoard(t, { env, directory: one.directory, sandbox: one.sandbox })
  const make = async (sub: string): Promise<string> => {
    const known = { issuer: issuer.url, audience, claims: { sub }, scopes: ['messages:read'] }
    return (await one.call('POST', '/identities', { body: { service: 'shop', mode: 'live', ...known } })).body.id
  }
  const [gone, shut] = [await make('a:one'), await make('b:two')]
  const tokens = await Promise.all(['a:one', 'b:two'].map(sub => issuer.token({ sub })))
  const statuses = () => Promise.all(tokens.map(async key => (await other.call('GET', '/keys/self', { key })).status))
  await until(statuses, seen => seen.every(status => status === 200))
  await one.call('DELETE', `/identities/${gone}`)
  await one.call('PATCH', `/identities/${shut}`, { body: { revokedSubjects: ['b:two'] } })
  const since = performance.now()
  await until(statuses, seen => seen.every(status => status === 401))
  const ms = Math.round(performance.now() - since)
  t.ok(ms < 5000, `${ms} ms`)
})
