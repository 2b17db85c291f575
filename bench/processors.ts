import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** The processors that this process may run on, by number. Source: `Cpus_allowed_list` of proc_pid_status(5), `0-1,4`. */
function allowed(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
  return list.split(',').flatMap(range => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}

/**
 * Gives the load and what it starts from now on one half of the processors: what callers and providers need for their own
 * work is then not counted as a server's.
 * @returns what moves a process that was started to the other half, and both in words; undefined where that does not go
 */
export function splitProcessors(): { move: (pid: number) => void; words: string } | undefined {
  if (process.platform !== 'linux') return undefined
  const all = allowed()
  if (all.length < 2) return undefined
  const server = all.slice(0, Math.floor(all.length / 2)).join(',')
  const load = all.slice(Math.floor(all.length / 2)).join(',')
  const place = (pid: number, processors: string): void =>
    void execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', processors, String(pid)], { stdio: 'pipe' })
  place(process.pid, load)
  return { move: pid => place(pid, server), words: `the server on processor ${server}, the load on ${load}` }
}
