import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { adminKey, cloudSettings } from '../helper.ts'
import { file, serve } from '../process.ts'

// The real process on a folder of its own, as an operator starts, stops and copies it.

/** Ends what was begun: a test, or a command. */
export interface Teardown {
  teardown: (end: () => unknown) => void
}

export interface Running {
  url: string
  child: ChildProcess
  /** All that it has said. */
  output: () => string
  /** Sends the signal; resolves with the exit code, null after a signal. */
  end: (signal?: NodeJS.Signals) => Promise<number | null>
  call: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>
    // biome-ignore lint/suspicious/noExplicitAny: answers of every route
  ) => Promise<{ status: number; body: any; headers: Record<string, string | string[] | undefined> }>
  /** Sends a file of some size to a route that takes files. */
  upload: (path: string) => ReturnType<Running['call']>
}

/** An empty DATA_DIR beside a channels file with the channel `cloud`. */
export function place(t: Teardown): string {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-life-'))
  const channel = { id: 'cloud', provider: 'whatsapp-cloud', connectionId: 'c', settings: cloudSettings }
  writeFileSync(join(directory, 'channels.json'), JSON.stringify({ channels: [channel] }))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Starts src/server.ts; resolves when it listens. */
export async function run(
  t: Teardown,
  {
    directory,
    data = directory,
    matonUrl,
    env = {}
  }: { directory: string; data?: string; matonUrl: string; env?: Record<string, string> }
): Promise<Running> {
  const { url, child, output, ended } = await serve(directory, matonUrl, { DATA_DIR: data, ...env })
  const end: Running['end'] = (signal = 'SIGTERM') => {
    child.kill(signal)
    return ended
  }
  const dispatcher = new Agent()
  t.teardown(async () => {
    await end('SIGKILL')
    await dispatcher.destroy()
  })
  const call: Running['call'] = async (method, path, body, headers = {}) => {
    const answer = await request(url + path, {
      method: method as 'GET',
      dispatcher,
      headers: {
        authorization: `Bearer ${adminKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers
      },
      body: body === undefined ? null : JSON.stringify(body)
    })
    const text = await answer.body.text()
    return { status: answer.statusCode, body: text === '' ? undefined : JSON.parse(text), headers: answer.headers }
  }
  const upload: Running['upload'] = async path => {
    const rows = Array.from({ length: 5000 }, (_, i) => `1415555${String(i).padStart(4, '0')},a name of some length\n`)
    const table = `phone,name\n${rows.join('')}`
    const form = new FormData()
    form.set('channel', 'cloud')
    if (path === '/broadcasts') form.set('name', 'x')
    if (path === '/broadcasts') form.set('template', JSON.stringify({ name: 'x', language: 'en' }))
    form.set('file', new Blob([table]), 'table.txt')
    const csv = path.includes('.csv')
    const answer = await fetch(url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, ...(csv && { 'content-type': 'text/csv' }) },
      body: csv ? table : form
    })
    return { status: answer.status, body: await answer.json(), headers: Object.fromEntries(answer.headers) }
  }
  return { url, child, output, end, call, upload }
}

export const text = (to: string, more: Record<string, unknown> = {}) => ({
  channel: 'cloud',
  to,
  type: 'text',
  text: { body: 'Hello' },
  ...more
})

/** `npm run backup -- <file>` as npm runs it. */
export async function backup(
  env: Record<string, string>,
  ...args: string[]
): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [file('src/backup.ts'), ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let said = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', chunk => (said += chunk))
  const code = await new Promise<number | null>(resolve => child.once('close', resolve))
  return { code, said }
}
