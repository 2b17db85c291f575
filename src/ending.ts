import closeWithGrace from 'close-with-grace'
import type { Logger } from 'pino'
import type { LogOutput } from './log-output.ts'

/** The last words wait so long for a reader that is slow. */
const lastWordsMs = 500
/** And work that Node's threads do waits so long to be finished. */
const threadsMs = 1000

/** Whether a thread of Node's pool is at work: the end of the process would wait for it, however long it takes. */
const threadsWork = (): boolean =>
  process.getActiveResourcesInfo().some(name => /^(FSReq|GetAddrInfo|GetNameInfo)/.test(name))

/** Ends the process at once: no listener, no thread and no stream can keep it from that. */
function kill(output: LogOutput): never {
  output.finish(lastWordsMs)
  process.kill(process.pid, 'SIGKILL')
  throw new Error('unreachable')
}

/**
 * Ends the process after a signal or an error that nobody caught: `close` first, then exit with 0, or 1 after an error.
 * When the grace is over, at a second signal, and where a thread hangs in the system (a disk or a name server that does not
 * answer), it kills itself: that depends on nothing (docs/reliability.md P51).
 */
export function endWithGrace(
  { graceMs, log, output }: { graceMs: number; log: Logger; output: LogOutput },
  close: () => Promise<void>
): void {
  process.on('exit', () => output.finish(lastWordsMs))
  const hard = (why: string) => (): void => {
    log.error({ graceMs }, `ending at once: ${why}`)
    kill(output)
  }
  closeWithGrace(
    {
      delay: graceMs,
      // It reads the channels file again. On a terminal that closes it ends the process as ever.
      ...(!process.stdin.isTTY && { skip: ['SIGHUP'] }),
      logger: log,
      onTimeout: hard('the grace is over'),
      onSecondSignal: hard('a second signal'),
      onSecondError: hard('a second error')
    },
    async ({ err }) => {
      if (err) log.error({ err }, 'closing after an error that nobody caught')
      await close()
      log.info('closed')
      output.flush()
      const until = performance.now() + threadsMs
      while (threadsWork()) {
        if (performance.now() >= until) hard('a thread of the process hangs in the system')()
        await new Promise(resolve => setTimeout(resolve, 10))
      }
    }
  )
}
