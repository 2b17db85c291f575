import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

// The command blocks of README and docs, run as they stand there.

/** A block between ```sh fences. `start`: it keeps running. `elsewhere`: it needs what no test has (Docker, an account, an hour). */
export interface Block {
  page: string
  line: number
  kind: 'run' | 'start' | 'elsewhere'
  text: string
}

/** The folder of the project. */
export const root = new URL('../..', import.meta.url).pathname
/** The pages whose blocks are run, in this order. */
export const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'src/adapters/README.md',
  ...globSync('docs/**/*.md', { cwd: root }).sort()
]
/** Every block of every page. */
export const blocks = (): Block[] => pages.flatMap(page => blocksOf(page, readFileSync(join(root, page), 'utf8')))
export const where = ({ page, line }: Block): string => `${page}:${line}`

/** The blocks of a page in their order. Throws where a fence says what nobody knows. */
export function blocksOf(page: string, text: string): Block[] {
  return [...text.matchAll(/^```(sh|bash|shell|console)([^\n]*)\n([\s\S]*?)^```/gm)].map(match => {
    const kind = match[2]!.trim() || 'run'
    const line = text.slice(0, match.index).split('\n').length
    if (match[1] !== 'sh' || !['run', 'start', 'elsewhere'].includes(kind)) throw new Error(`${page}:${line}: ${kind}?`)
    return { page, line, kind: kind as Block['kind'], text: match[3]! }
  })
}

/** The commands and files that a block names and the repository does not have. */
export function missing(root: string, { text }: Block): string[] {
  const scripts = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> })
    .scripts
  const named = [...text.matchAll(/\bnpm run (?:-s )?([\w:-]+)/g)].map(([, name]) => name!)
  const verbs = [...text.matchAll(/\bnpm (start|test)\b/g)].map(([, name]) => name!)
  const files = [...text.matchAll(/(?<![\w/.-])((?:src|test|examples|bench|docs|deploy)\/[\w./-]+)/g)].map(
    ([, at]) => at!
  )
  return [...[...named, ...verbs].filter(name => !scripts[name]), ...files.filter(at => !existsSync(join(root, at)))]
}

/**
 * A terminal of a reader: what a block sets is there for the next one.
 * @param folder for its state; ~/.curlrc in it leads localhost:3000 to the server, and makes curl fail on an error answer
 */
export function terminal(root: string, folder: string, address: URL, variables: Record<string, string>) {
  const state = join(folder, 'state')
  writeFileSync(
    join(folder, '.curlrc'),
    `connect-to = "localhost:3000:${address.hostname}:${address.port}"\nfail-with-body\nmax-time = 300\n`
  )
  writeFileSync(
    state,
    Object.entries(variables)
      .map(([name, value]) => `${name}=${value}\n`)
      .join('')
  )
  return async ({ text }: Block): Promise<string> => {
    const script = `set -a; . ${state}; set +a -euo pipefail\n${text}\ndeclare -p ADMIN KEY ID 2>/dev/null | sed 's/^declare [^ ]* //' > ${state} || true\n`
    const env = { PATH: process.env.PATH, HOME: folder, SWITCHBOARD_URL: address.origin }
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', script], { cwd: root, env, timeout: 600_000 })
    return stdout + stderr
  }
}

/** Runs a block that keeps running; resolves with what it said once it listens. */
export async function begin(
  root: string,
  { text }: Block,
  env: Record<string, string>
): Promise<{ child: ChildProcess; address: URL; said: string }> {
  // A group of its own: npm stands between, and would leave the server behind.
  const child = spawn('bash', ['-c', text], {
    cwd: root,
    detached: true,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let said = ''
  const address = await new Promise<URL>((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', chunk => {
        said += chunk
        const listening = /API description to try it in:\s+(http\S+)\/docs/.exec(said)?.[1]
        if (listening && /'\n*$|\}'/.test(said.slice(said.indexOf('A first message')))) resolve(new URL(listening))
      })
    child.once('exit', code => reject(new Error(`ended with ${code}: ${said}`)))
  })
  return { child, address, said }
}
