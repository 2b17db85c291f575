import pino, { type DestinationStream, type Logger } from 'pino'

/** Our own keys, wherever they turn up. */
const ownKeys = /sk_(live|test)_[A-Za-z0-9]{20,}_[A-Za-z0-9]{6}/g

/** As it is, in a URL, in JSON, and in JSON inside JSON. */
function spellings(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1)
  return [secret, encodeURIComponent(secret), json, JSON.stringify(json).slice(1, -1)]
}

/** The password of an address is a secret of its own: drivers name it without the rest. */
function withPassword(secret: string): string[] {
  const password = URL.parse(secret)?.password ?? ''
  return [secret, password, unescaped(password)]
}
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/**
 * The process's logger: JSON lines. Redaction by path misses what lies elsewhere (docs/reliability.md decision 10), so every
 * line is also searched for the secrets' values before it is written.
 * @param secrets values that must never be written; the list may grow
 * @param sink where lines go; a warning or worse takes everything before it out at once, where it can `flush`
 * @param pretty makes a line readable, after it has been searched
 */
export function createLogger(
  level: string,
  secrets: readonly string[],
  sink: DestinationStream & { flush?: () => void },
  pretty: (line: string) => string = line => line
): Logger {
  let hidden: string[] = []
  let known = 0
  const scrub = (line: string): string => {
    if (known !== secrets.length) {
      known = secrets.length
      const long = secrets.flatMap(withPassword).filter(secret => secret.length >= 8)
      hidden = [...new Set(long.flatMap(spellings))]
    }
    let clean = line.includes('sk_') ? line.replace(ownKeys, 'sk_$1_[redacted]') : line
    for (const secret of hidden) if (clean.includes(secret)) clean = clean.replaceAll(secret, '[redacted]')
    return clean
  }
  return pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) }
    },
    {
      write: line => {
        sink.write(pretty(scrub(line)))
        if (!line.startsWith('{"level":"info"')) sink.flush?.()
      }
    }
  )
}

/** Lines for a person's eyes (LOG_PRETTY=1); loaded only for who asks, since it is not what a server needs. */
export async function loadPretty(): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty')
  return prettyFactory({
    colorize: process.stdout.isTTY === true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname'
  })
}

/** A phone number for a log: its last four digits. */
export const maskPhone = (phone: string): string => `…${phone.slice(-4)}`
