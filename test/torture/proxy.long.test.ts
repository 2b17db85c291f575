import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import { Client, request } from 'undici'
import { type Fault, type FaultProxy, startProxy } from './proxy.ts'
import { createRandom } from './random.ts'

// A proxy whose faults do nothing would make every run look good.

const body = 'x'.repeat(300)

async function rig(t: Test): Promise<{ proxy: FaultProxy; whole: () => number }> {
  let whole = 0
  const server = createServer((incoming, answer) => {
    incoming.resume().on('end', () => {
      whole++
      answer.end(body)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const proxy = await startProxy(`http://127.0.0.1:${port}`, { random: createRandom(1), longestMs: 200 })
  t.teardown(async () => {
    await proxy.close()
    server.closeAllConnections()
    server.close()
  })
  return { proxy, whole: () => whole }
}

const ask = async (url: string, ms = 2000): Promise<string> => {
  const client = new Client(url)
  try {
    const answer = await client.request({ path: '/', method: 'POST', body, signal: AbortSignal.timeout(ms) })
    return await answer.body.text()
  } catch (error) {
    const { code, name } = error as { code?: unknown; name: string }
    return typeof code === 'string' ? code : name
  } finally {
    await client.destroy()
  }
}

const cases: [fault: Fault, answer: RegExp, arrives: number][] = [
  ['pass', /^x{300}$/, 1],
  ['delay', /^x{300}$/, 1],
  ['reset_before', /ECONNRESET|UND_ERR_SOCKET/, 0],
  ['reset_after', /ECONNRESET|UND_ERR_SOCKET/, 1],
  ['half_open', /TimeoutError|ABORT/, 0],
  ['truncate', /UND_ERR_SOCKET|UND_ERR_RES_CONTENT/, 1],
  ['drip', /TimeoutError|ABORT/, 1]
]
for (const [fault, answer, arrives] of cases)
  t.test(`${fault} does what it says`, async t => {
    const { proxy, whole } = await rig(t)
    proxy.faults = { [fault]: 1 }
    t.match(await ask(proxy.url, fault === 'pass' || fault === 'delay' ? 5000 : 800), answer)
    t.equal(whole(), arrives, 'what arrived')
    t.strictSame(proxy.played, { [fault]: 1 })
  })

t.test('refused connections are refused, and taken again on the same port', async t => {
  const { proxy, whole } = await rig(t)
  await proxy.refuse(true)
  t.equal(await ask(proxy.url), 'ECONNREFUSED')
  await proxy.refuse(false)
  t.equal(await ask(proxy.url), body)
  t.equal(whole(), 1)
})

t.test('each request of a connection draws its own fault, and the same seed draws the same ones', async t => {
  const drawn = async (): Promise<unknown> => {
    const { proxy } = await rig(t)
    proxy.faults = { delay: 0.3 }
    for (let i = 0; i < 20; i++) await (await request(proxy.url)).body.dump()
    return proxy.played
  }
  const first = await drawn()
  t.match(first, { pass: Number, delay: Number })
  t.strictSame(await drawn(), first)
})
