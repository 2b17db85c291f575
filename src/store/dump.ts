import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { type Stamp, writeWhole } from './whole-file.ts'

/** What pg_dump writes when it has come to the end. */
const complete = '-- PostgreSQL database dump complete'
/** So much of what has passed is kept, for words that lie on the border of two pieces. */
const tail = 512

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/**
 * Lets a dump pass, and adds the stamp at its end: so a start from it holds, and what was cut off is no dump.
 * @throws where it is no dump of a Switchboard, or not all of it
 */
function stamped({ key, detail }: Stamp): Transform {
  let last = ''
  let schema: string | undefined
  return new Transform({
    transform(chunk: Buffer, _, done) {
      last = last.slice(-tail) + chunk.toString('latin1')
      schema ??= /^CREATE TABLE (\S+)\.blocks \(/m.exec(last)?.[1]
      done(null, chunk)
    },
    flush(done) {
      if (!last.includes(complete)) return done(new Error('pg_dump ended before the dump was whole'))
      if (schema === undefined) return done(new Error('the database holds no tables of Switchboard'))
      const values = [literal(key), 'null', literal(detail), String(Date.now())].join(', ')
      const conflict = 'on conflict (key) do update set until = null, detail = excluded.detail'
      done(
        null,
        `\n-- A copy: a start from it holds.\ninsert into ${schema}.blocks (key, until, detail, at) values (${values}) ${conflict};\n`
      )
    }
  })
}

/** The address without the password, which would be seen in the table of processes, and without what only our driver knows. */
function addressOf(databaseUrl: string): { address: string; password: string } {
  const url = new URL(databaseUrl)
  const password = decodeURIComponent(url.password)
  url.password = ''
  for (const name of ['ssl', 'uselibpqcompat']) url.searchParams.delete(name)
  return { address: url.href, password }
}

/**
 * Copies a PostgreSQL store with pg_dump while servers run on it: everything that was committed before it began, as SQL for
 * psql, compressed where the file's name ends in .gz.
 * @param path where pg_dump is looked for
 * @param file where the copy goes; it must not exist, and does not before the copy is whole
 */
export function dumpPostgres(
  databaseUrl: string,
  path: string,
  file: string,
  stamp: Stamp
): Promise<{ bytes: number }> {
  const { address, password } = addressOf(databaseUrl)
  return writeWhole(file, [], async partial => {
    const child = spawn('pg_dump', ['--format=plain', '--no-owner', '--no-privileges', `--dbname=${address}`], {
      env: { PATH: path, ...(password !== '' && { PGPASSWORD: password }) },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    let said = ''
    child.stderr.on('data', chunk => (said = (said + chunk).slice(-2000)))
    const ended = new Promise<void>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          error.code === 'ENOENT'
            ? new Error(
                'pg_dump is not here: install PostgreSQL’s client programs, of the server’s release or a later one'
              )
            : error
        )
      )
      child.once('close', code =>
        code === 0 ? resolve() : reject(new Error(`pg_dump ended with ${code}: ${said.trim()}`))
      )
    })
    const out = createWriteStream(partial, { flags: 'r+' })
    const way = file.endsWith('.gz') ? [createGzip(), out] : [out]
    // What pg_dump says of itself is told before what its silence did to the pipe.
    const [how, written] = await Promise.allSettled([ended, pipeline([child.stdout, stamped(stamp), ...way])])
    if (how.status === 'rejected') throw how.reason
    if (written.status === 'rejected') throw written.reason
  })
}
