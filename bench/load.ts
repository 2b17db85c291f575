import type { ChildProcess } from 'node:child_process'
import autocannon from 'autocannon'
import { adminKey, cpu, matonKey, type Started, settings } from './children.ts'

/** A call that a benchmark repeats, and the processes whose time it costs. */
export interface Target {
  url: string
  headers: Record<string, string>
  body: string
  servers: ChildProcess[]
}

const json = { 'content-type': 'application/json' }
const text = { type: 'text', text: { body: 'Hello from the benchmark' } }
const to = '14155551234'

/** The path of the Cloud API's messages, as Maton has it. */
export const cloudPath = '/whatsapp-business/v24.0'

/** A message as the Cloud API takes it. */
export const cloudCall = (
  { url, child }: Started,
  base: string = cloudPath,
  headers: Record<string, string> = {}
): Target => ({
  url: `${url}${base}/${settings.phoneNumberId}/messages`,
  headers: { ...json, ...headers },
  body: JSON.stringify({ messaging_product: 'whatsapp', recipient_type: 'individual', to, ...text }),
  servers: [child]
})

/** What Maton wants of a call: its key, and which connection is meant. */
export const matonHeaders = { authorization: `Bearer ${matonKey}`, 'maton-connection': 'bench' }

/** A message through bench/proxy.ts, which puts in the key. */
export const throughProxy = (proxy: Started): Target => cloudCall(proxy)

/** A message as our own API takes it, without an Idempotency-Key. */
export const throughServer = ({ url, child }: Started, key = adminKey): Target => ({
  url: `${url}/messages`,
  headers: { ...json, authorization: `Bearer ${key}` },
  body: JSON.stringify({ channel: 'bench', to, ...text }),
  servers: [child]
})

/** What a load came to: answers of 2xx a second, milliseconds, microseconds of processor for an answer. */
export interface Figures {
  perSecond: number
  p50: number
  p99: number
  failed: number
  cpu: number
  answers: number
}

export interface Extent {
  /** 32 where it is not said. */
  connections?: number
  seconds?: number
  /** How many calls there are, however long they take. */
  amount?: number
}

/** Repeats a call over some connections, each with the next one when the answer is there. */
export async function load(
  { url, headers, body, servers }: Target,
  { connections = 32, seconds, amount }: Extent
): Promise<Figures> {
  const spent = () => servers.reduce((sum, each) => sum + cpu(each), 0)
  const before = spent()
  const extent = amount ? { amount } : { duration: seconds ?? 5 }
  const result = await autocannon({ url, connections, method: 'POST', headers, body, ...extent })
  const { latency, requests, non2xx, errors } = result
  return {
    perSecond: result['2xx'] / result.duration,
    p50: latency.p50,
    p99: latency.p99,
    failed: non2xx + errors,
    cpu: (spent() - before) / requests.total,
    answers: requests.total
  }
}

export const describe = ({ perSecond, p50, p99, cpu: each, failed }: Figures): string =>
  `${perSecond.toFixed(0)}/s p50 ${p50} p99 ${p99} ms, ${each.toFixed(0)} us of processor each (${failed} failed)`
