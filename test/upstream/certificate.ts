import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificate {
  key: Buffer
  cert: Buffer
  /** Where the certificate lies until `remove` is called. */
  path: string
  remove: () => void
}

/**
 * A CA of one's own and its certificate in one, made for the run with openssl.
 * @param name whose it is, as a subjectAltName
 * @returns undefined where there is no openssl
 */
export function certificate(name = 'IP:127.0.0.1'): Certificate | undefined {
  const scratch = mkdtempSync(join(tmpdir(), 'switchboard-ca-'))
  const remove = () => rmSync(scratch, { recursive: true, force: true })
  const [key, path] = [join(scratch, 'key'), join(scratch, 'ca.pem')]
  const args = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=hooks'.split(' ')
  args.push('-addext', `subjectAltName=${name}`, '-keyout', key, '-out', path)
  try {
    execFileSync('openssl', args, { stdio: 'ignore' })
  } catch {
    remove()
    return undefined
  }
  return { key: readFileSync(key), cert: readFileSync(path), path, remove }
}
