import { rmSync } from 'node:fs'
import { pino } from 'pino'
import type { Test } from 'tap'
import { Agent, request } from 'undici'
import type { AnyAdapter } from '../src/adapters/adapter.ts'
import { adapters } from '../src/adapters/index.ts'
import { loadConfig } from '../src/config.ts'
import { buildContainer, type Switchboard } from '../src/container.ts'
import { recipients, type Sandbox, startSandbox } from '../src/sandbox/index.ts'
import { breaches } from './contract.ts'
import { newDirectory } from './store/blank.ts'
import './patience.ts'

export { until } from './until.ts'

export const adminKey = 'test-admin-key-0123456789-0123456789'
export const matonKey = 'maton-canary-7f3a9c51d2e84b60'

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  // biome-ignore lint/suspicious/noExplicitAny: answers of every route, held against the document on the way
  body: any
  text: string
}

export interface Board {
  url: string
  board: Switchboard
  sandbox: Sandbox
  directory: string
  /** Every line of the log so far. */
  log: string[]
  /** One real HTTP request; its answer is held against openapi.yaml. */
  call: (
    method: string,
    path: string,
    options?: { body?: unknown; key?: string; headers?: Record<string, string> }
  ) => Promise<Answer>
  /** A new key with these rights. */
  key: (input?: Record<string, unknown>) => Promise<string>
  close: () => Promise<void>
}

export interface BoardOptions {
  env?: Record<string, string>
  directory?: string
  sandbox?: Sandbox
  /** Other adapters than the registered ones. */
  adapters?: ReadonlyMap<string, AnyAdapter>
  /** Where it listens; default: any free port. */
  port?: number
  /** The sandbox of test mode tells its webhooks to this board. */
  hears?: true
}

export const cloudSettings = { phoneNumberId: '106540352242922', businessAccountId: '102290129340398' }

/** What of a stream without an end comes first. */
async function beginning(body: AsyncIterable<Buffer>): Promise<string> {
  for await (const chunk of body) return chunk.toString()
  return ''
}

/** The settings of a board over its sandbox, as the environment gives them. */
const settingsOf = (sandbox: Sandbox, directory: string): Record<string, string> => ({
  MATON_API_KEY: matonKey,
  MATON_BASE_URL: sandbox.url,
  MATON_CONTROL_URL: sandbox.url,
  MATON_RATE_PER_SECOND: '0',
  ADMIN_KEY: adminKey,
  DATA_DIR: directory,
  LOG_LEVEL: 'info',
  UPSTREAM_TIMEOUT_MS: '20000'
})

const pepper = 'p'.repeat(32)

/** A whole Switchboard on a port of its own, in front of the sandbox as if that were Maton, with channels `cloud` and `wati`. */
export async function startBoard(t: Test, options: BoardOptions = {}): Promise<Board> {
  const directory = options.directory ?? (await newDirectory())
  const sandbox = options.sandbox ?? (await startSandbox({ apiKey: matonKey, tempoMs: 0 }))
  const config = loadConfig({ ...settingsOf(sandbox, directory), ...options.env })
  const log: string[] = []
  const board = await buildContainer(config, {
    adapters: options.adapters ?? adapters,
    log: pino({ level: 'info' }, { write: line => void log.push(line) }),
    pepper,
    sandboxRecipients: async () => recipients,
    // whoever wants to see webhooks in test mode says so
    startSandbox: hooks => startSandbox(options.hears ? { ...hooks, tempoMs: 0 } : {})
  })
  await board.start()
  const url = await board.app.listen({ host: '127.0.0.1', port: options.port ?? 0 })
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 })

  const call: Board['call'] = async (method, path, { body, key = adminKey, headers = {} } = {}) => {
    const json = body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)
    const answer = await request(url + path, {
      method: method as 'GET',
      dispatcher,
      headers: {
        ...(key && { authorization: `Bearer ${key}` }),
        ...(json && { 'content-type': 'application/json' }),
        ...headers
      },
      body: json ? JSON.stringify(body) : ((body as string | undefined) ?? null)
    })
    // As it was sent: text() would drop a byte order mark.
    const text =
      path.startsWith('/events/stream') && answer.statusCode === 200
        ? await beginning(answer.body)
        : Buffer.from(await answer.body.arrayBuffer()).toString()
    const contentType = String(answer.headers['content-type'] ?? '')
    const wrong = breaches({ method, path, status: answer.statusCode, contentType, text })
    if (wrong.length > 0) t.fail(wrong.join('\n'))
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text,
      body: contentType.includes('json') && text !== '' ? JSON.parse(text) : text
    }
  }
  let closed = false
  const started: Board = {
    url,
    board,
    sandbox,
    directory,
    log,
    call,
    key: async (input = {}) => {
      const made = await call('POST', '/keys', {
        body: {
          service: 'billing',
          mode: 'live',
          scopes: ['messages:send', 'messages:read', 'media:read', 'media:write', 'channels:read'],
          ...input
        }
      })
      return made.body.secret as string
    },
    close: async () => {
      if (closed) return
      closed = true
      await dispatcher.destroy()
      await board.close()
    }
  }
  if (!options.directory) {
    for (const [id, provider, settings] of [
      ['cloud', 'whatsapp-cloud', cloudSettings],
      ['wati', 'wati', {}]
    ] as const) {
      await call('POST', '/channels', { body: { id, provider, connectionId: `${id}-connection`, settings } })
    }
  }
  t.teardown(async () => {
    await started.close()
    if (!options.sandbox) await sandbox.close()
    if (!options.directory) rmSync(directory, { recursive: true, force: true })
  })
  return started
}
