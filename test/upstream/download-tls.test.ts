import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createTlsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { buildConnector } from 'undici'
import { createEgress } from '../../src/upstream/egress.ts'
import { listen, PNG, spoolDirectory } from './site.ts'

const { directory, left } = await spoolDirectory(t)
const scratch = await mkdtemp(join(tmpdir(), 'certificate-'))
t.teardown(() => rm(scratch, { recursive: true }))

/** Made for the run by the machine's openssl, so that no private key lies in the repository. */
function certificate(): { key: Buffer; cert: Buffer } | undefined {
  const [key, cert] = [join(scratch, 'key'), join(scratch, 'cert')]
  const args = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=cdn.example'.split(' ')
  args.push('-addext', 'subjectAltName=DNS:cdn.example', '-keyout', key, '-out', cert)
  try {
    execFileSync('openssl', args, { stdio: 'ignore' })
  } catch {
    return undefined
  }
  return { key: readFileSync(key), cert: readFileSync(cert) }
}
const tls = certificate()

t.test('over https the certificate must name the host, though an address is dialled', { skip: !tls }, async t => {
  const names: unknown[] = []
  const offered = new Set<string>()
  const ALPNCallback = ({ protocols }: { protocols: string[] }) => {
    for (const protocol of protocols) offered.add(protocol)
    return protocols[0]
  }
  const server = createTlsServer({ ...tls, ALPNCallback }, (request, response) => {
    names.push((request.socket as { servername?: unknown }).servername, request.httpVersion)
    response.end(PNG)
  })
  const port = await listen(t, server)
  const resolve = async () => ['127.0.0.1']
  const allow = [`127.0.0.1:${port}`]
  const trusting = buildConnector({ allowH2: false, ca: tls!.cert })
  const options = { directory, maxBytes: 99 }
  const egress = createEgress({ allow, resolve, dial: trusting })
  await (await egress.download(`https://cdn.example.:${port}/`, options)).remove()
  t.strictSame(names, ['cdn.example', '1.1'])
  const badName = egress.download(`https://other.example:${port}/`, options)
  await t.rejects(badName, { code: 'unreachable', detail: /ERR_TLS_CERT_ALTNAME_INVALID/ })
  await t.rejects(egress.download(`https://127.0.0.1:${port}/`, options), { code: 'unreachable' })
  const untrusted = createEgress({ allow, resolve }).download(`https://cdn.example:${port}/`, options)
  await t.rejects(untrusted, { code: 'unreachable', detail: /DEPTH_ZERO_SELF_SIGNED_CERT/ })
  t.equal(names.length, 2)
  t.strictSame([...offered], ['http/1.1'], 'HTTP/2 is not offered')
})

t.test('no test left a file', async t => t.strictSame(await left(), []))
