import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { request } from 'undici'
import { freePort } from '../free-port.ts'
import { until } from '../until.ts'

export const adminKey = 'torture-admin-key-0123456789-0123456789'

export interface Replica {
  readonly url: string
  readonly log: string
  /** Whether a process of it runs, paused or not. */
  alive: () => boolean
  /** Starts the process; resolves when it is ready, or when it died before (`alive` tells). */
  start: (more?: Record<string, string>) => Promise<void>
  /** Starts it without waiting for readiness. */
  spawn: (more?: Record<string, string>) => void
  /** kill -9. */
  kill: () => Promise<void>
  /** SIGTERM; resolves with the exit code. */
  end: () => Promise<number | null>
  pause: () => void
  resume: () => void
}

export interface ReplicaOptions {
  entry: URL
  args?: string[]
  env: Record<string, string>
  log: string
}

/** One Switchboard in a process of its own. */
export async function createReplica({ entry, args = [], env, log }: ReplicaOptions): Promise<Replica> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  let ended: Promise<number | null> = Promise.resolve(null)
  const alive = (): boolean => child !== undefined
  const launch: Replica['spawn'] = (more = {}) => {
    const output = openSync(log, 'a')
    const started = spawn(process.execPath, [entry.pathname, ...args], {
      env: { PATH: process.env.PATH, PORT: String(port), ADMIN_KEY: adminKey, LOG_LEVEL: 'warn', ...env, ...more },
      stdio: ['ignore', output, output]
    })
    closeSync(output)
    child = started
    ended = new Promise(resolve =>
      started.once('exit', code => {
        if (child === started) child = undefined
        resolve(code)
      })
    )
  }
  const ready = async (): Promise<boolean> => {
    if (!child) return true
    const answer = await request(`${url}/readyz`, { signal: AbortSignal.timeout(1000) }).catch(() => undefined)
    await answer?.body.dump()
    return answer?.statusCode === 200
  }
  const send = (signal: NodeJS.Signals): void => void child?.kill(signal)
  return {
    url,
    log,
    alive,
    spawn: launch,
    start: async more => {
      launch(more)
      await until(ready, Boolean, 90_000).catch(error => {
        throw new Error(`${error.message}\n${readFileSync(log, 'utf8').slice(-2000)}`)
      })
    },
    kill: async () => {
      send('SIGKILL')
      await ended
    },
    end: () => {
      send('SIGTERM')
      return ended
    },
    pause: () => send('SIGSTOP'),
    resume: () => send('SIGCONT')
  }
}
