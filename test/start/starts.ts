import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { adminKey, matonKey } from '../helper.ts'
import { file } from '../process.ts'

// The real process, as an operator starts it, until it has either refused or listens.

export interface Start {
  /** Null: it listens, and was ended. */
  code: number | null
  /** All that it printed. */
  said: string
}

interface Teardown {
  teardown: (end: () => unknown) => void
}

/** An empty folder of the test's own. */
export function place(t: Teardown): string {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-start-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Starts src/server.ts with exactly these settings (and any free port); ends it as soon as it listens. */
export async function tryStart(env: Record<string, string>): Promise<Start> {
  const child = spawn(process.execPath, [file('src/server.ts')], {
    env: { PATH: process.env.PATH, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let said = ''
  let listens = false
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      said += chunk
      if (listens || !/"msg":"listening"|INFO: listening/.test(said)) return
      listens = true
      // In sandbox mode its welcome comes after that.
      if (!/"?mode"?: ?"sandbox"/.test(said) || /KEY=/.test(said)) child.kill('SIGTERM')
      else stream.once('data', () => child.kill('SIGTERM'))
    })
  const code = await new Promise<number | null>(resolve => child.once('close', resolve))
  return { code: listens ? null : code, said }
}

export const canary = 'canary-5b1d'
export const live = {
  MATON_API_KEY: matonKey,
  MATON_BASE_URL: 'http://127.0.0.1:9',
  MATON_CONTROL_URL: 'http://127.0.0.1:9'
}
export const pepper = 'p'.repeat(40)

/** Starts, and expects a refusal that says this and no value. */
export async function refused(t: Test, env: Record<string, string>, ...sentences: RegExp[]): Promise<void> {
  const { code, said } = await tryStart(env)
  t.equal(code, 1, `refused: ${sentences[0]}`)
  for (const sentence of sentences) t.match(said, sentence)
  for (const secret of [canary, matonKey, pepper]) t.notMatch(said, secret, 'without a value')
  t.notMatch(said, /\n\s+at /, 'without a stack')
}
export async function taken(t: Test, env: Record<string, string>, name: string): Promise<string> {
  const { code, said } = await tryStart(env)
  t.equal(code, null, `${name}: it starts${code === null ? '' : `\n${said}`}`)
  return said
}

/** A DATA_DIR that a live start has made. */
export async function lived(t: Test): Promise<string> {
  const directory = place(t)
  await taken(t, { ...live, DATA_DIR: directory, ADMIN_KEY: adminKey }, 'a first live start')
  return directory
}

/** A running server with exactly these settings. */
export interface Bare {
  url: string
  said: () => string
  end: () => Promise<number | null>
}

/** Starts src/server.ts in a folder of its own; resolves when it has said all that it says at a start in sandbox mode. */
export async function serveBare(t: Teardown, env: Record<string, string>): Promise<Bare> {
  const child = spawn(process.execPath, [file('src/server.ts')], {
    env: { PATH: process.env.PATH, PORT: '0', DATA_DIR: place(t), ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let text = ''
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  t.teardown(() => {
    child.kill('SIGKILL')
    return ended
  })
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', chunk => {
        text += chunk
        if (/KEY=sk_test_\w+\n[\s\S]*direction=inbound/.test(text)) resolve()
      })
    void ended.then(code => reject(new Error(`ended with ${code}: ${text}`)))
  })
  const end = (): Promise<number | null> => {
    child.kill('SIGTERM')
    return ended
  }
  return { url: /"address":"(http[^"]+)"/.exec(text)![1]!, said: () => text, end }
}
