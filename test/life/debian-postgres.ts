import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { freePort } from '../free-port.ts'
import { until } from '../until.ts'

/** The folder of a PostgreSQL that is installed with its server and its client programs, the newest; undefined: none. */
export const postgresPrograms = (): string | undefined => {
  const found = globSync('/usr/lib/postgresql/*/bin/postgres').sort().at(-1)
  return found && existsSync(join(dirname(found), 'pg_dump')) && existsSync(join(dirname(found), 'psql'))
    ? dirname(found)
    : undefined
}

interface Teardown {
  teardown: (end: () => unknown) => void
}

/** The installed PostgreSQL, whose pg_dump is of its own release as the package for tests has none. */
export async function startInstalled(t: Teardown, programs: string) {
  const asRoot = process.getuid?.() === 0
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  const user = asRoot ? { uid: id('-u'), gid: id('-g') } : {}
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-pg15-'))
  chmodSync(directory, 0o700)
  if (user.uid !== undefined) chownSync(directory, user.uid, user.gid)
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' }
  const data = join(directory, 'data')
  const init = ['-D', data, '-U', 'switchboard', '--auth=trust', '--encoding=UTF8', '--no-sync']
  execFileSync(join(programs, 'initdb'), init, { ...user, env, stdio: 'ignore', cwd: directory })
  const port = await freePort()
  const child: ChildProcess = spawn(
    join(programs, 'postgres'),
    ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', directory, '-c', 'fsync=off'],
    { ...user, env, stdio: 'ignore', cwd: directory }
  )
  const ended = new Promise(resolve => child.once('close', resolve))
  t.teardown(async () => {
    child.kill('SIGINT')
    await ended
  })
  const url = (database: string) => `postgres://switchboard:secret-of-the-url@127.0.0.1:${port}/${database}`
  const psql = (database: string, input: string, ...args: string[]): string =>
    execFileSync(join(programs, 'psql'), ['-X', '-v', 'ON_ERROR_STOP=1', '-At', ...args, url(database)], {
      env,
      input,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
      maxBuffer: 2 ** 28
    })
  await until(() => {
    try {
      psql('postgres', 'select 1')
      return true
    } catch {
      return false
    }
  }, Boolean)
  return { url, psql, programs }
}
