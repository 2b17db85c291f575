import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { adminKey, atMost, children, heap, matonKey, option, settings, start, writeChannels } from './children.ts'
import { splitProcessors } from './processors.ts'

// Webhooks beside sends. First, how long a body of 1,000 statuses and 3 MB takes to be acknowledged; then the p99 of
// POST /messages at the rate of one busy number, in pairs of rounds without and with three statuses for each message.
// The server has one half of the processors and the load the other, since a provider's own work for 240 calls a second is
// not the server's; with `--shared` they share them all.
// `npm run bench:webhooks -- --rounds 5 --seconds 30`: of a shorter round the p99 is that of a handful of requests.
const rounds = option('rounds', 5)
const seconds = option('seconds', 30)
/** Messages a second: what Meta lets one number send. */
const perSecond = 80
const directory = mkdtempSync(join(tmpdir(), 'switchboard-bench-'))
const metadata = { display_phone_number: '15550783881', phone_number_id: settings.phoneNumberId }
const body = (statuses: object[]): string => {
  const value = { messaging_product: 'whatsapp', metadata, statuses }
  const entry = [{ id: settings.businessAccountId, changes: [{ field: 'messages', value }] }]
  return JSON.stringify({ object: 'whatsapp_business_account', entry })
}
const status = (id: string, word: string, more: object = {}) => ({
  ...{ id, status: word, timestamp: '1795774460', recipient_id: '14155551234', ...more }
})
const percentile = (values: number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN
const dispatcher = new Agent({ connections: 64 })
const processors = process.argv.includes('--shared') ? undefined : splitProcessors()
console.log(processors?.words ?? 'the server and the load share the processors')

try {
  const channelsFile = writeChannels(directory)
  const upstream = await start('src/sandbox/main.ts', ['--no-ledger'])
  const env = {
    ...{ MATON_API_KEY: matonKey, MATON_BASE_URL: upstream.url, MATON_RATE_PER_SECOND: '0' },
    ...{ ADMIN_KEY: adminKey, CHANNELS_FILE: channelsFile, DATA_DIR: join(directory, 'data') },
    ...{ PORT: '0', LOG_LEVEL: 'info', PUBLIC_URL: 'http://127.0.0.1:1' }
  }
  const board = await start('src/server.ts', [], env, heap)
  processors?.move(board.child.pid!)
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
  const call = async (method: 'GET' | 'POST', path: string, text?: string, extra: object = headers) => {
    const begun = performance.now()
    const answer = await request(board.url + path, {
      method,
      dispatcher,
      headers: extra as typeof headers,
      body: text ?? null
    })
    const json = await answer.body.text()
    return { ms: performance.now() - begun, status: answer.statusCode, headers: answer.headers, text: json }
  }
  const { url } = JSON.parse((await call('GET', '/channels/bench/webhooks')).text) as { url: string }
  const door = new URL(url).pathname
  const hear = (statuses: object[]) => call('POST', door, body(statuses), { 'content-type': 'application/json' })

  const own: number[] = []
  for (let i = 0; i < 8; i++) {
    const padding = { biz_opaque_callback_data: 'x'.repeat(2900) }
    const answer = await hear(Array.from({ length: 1000 }, (_, k) => status(`wamid.${i}.${k}`, 'delivered', padding)))
    if (answer.status !== 200) throw new Error(`a webhook was answered ${answer.status}`)
    own.push(Number(/own;dur=([\d.]+)/.exec(String(answer.headers['server-timing']))?.[1]))
    await sleep(1000)
  }
  const say = (share: number) => `${percentile(own, share).toFixed(1)} ms`
  console.log(
    `1,000 statuses in 3 MB: acknowledged in ${say(0.5)} (median), ${say(0.99)} (worst of ${own.length}); at most 50 ms`
  )

  const provider = fork(new URL('provider.ts', import.meta.url), [
    board.url + door,
    settings.phoneNumberId,
    settings.businessAccountId
  ])
  children.push(provider)
  provider.on('exit', code => {
    if (code) throw new Error(`the provider ended with ${code}`)
  })
  const told = new Map<string, () => void>()
  provider.on('message', (id: string) => {
    told.get(id)?.()
    told.delete(id)
  })
  /** One round: messages at an even rate; with statuses, three webhooks for each, a moment after it. */
  const round = async (withStatuses: boolean): Promise<number> => {
    const times: number[] = []
    const work: Promise<unknown>[] = []
    const text = JSON.stringify({ channel: 'bench', to: '14155551234', type: 'text', text: { body: 'Hello' } })
    const begun = performance.now()
    for (let i = 0; i < perSecond * seconds; i++) {
      await sleep(Math.max(0, begun + (i * 1000) / perSecond - performance.now()))
      const sent = call('POST', '/messages', text).then(async ({ ms, status: code, text: answer }) => {
        if (code !== 201) throw new Error(`a message was answered ${code}: ${answer}`)
        times.push(ms)
        if (!withStatuses) return
        const id = (JSON.parse(answer) as { providerMessageId: string }).providerMessageId
        await new Promise<void>(resolve => {
          told.set(id, resolve)
          provider.send(id)
        })
      })
      work.push(sent)
    }
    await Promise.all(work)
    await sleep(1000)
    return percentile(times, 0.99)
  }
  await round(true)
  const ratios: number[] = []
  const alone: number[] = []
  for (let i = 1; i <= rounds; i++) {
    const [without, beside] = [await round(false), await round(true)]
    ratios.push(beside / without)
    alone.push(without)
    console.log(
      `pair ${i}: p99 ${without.toFixed(1)} ms without, ${beside.toFixed(1)} ms with ${3 * perSecond} statuses a second: x${(beside / without).toFixed(2)}`
    )
  }
  const middle = percentile(ratios, 0.5)
  // A machine that stands still in one of two rounds says nothing about webhooks, whichever of them it was.
  const steady = Math.max(...alone) <= 2 * Math.min(...alone)
  const verdict = steady ? atMost(middle, 1.25) : '(no verdict: the p99 without them is not the same twice)'
  console.log(`median of ${rounds}: x${middle.toFixed(2)} ${verdict}`)
} finally {
  await dispatcher.destroy()
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
