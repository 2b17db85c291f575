import { request } from 'undici'

/** Somebody who listens to a stream of server-sent events as a browser does. */
export interface Listener {
  /** What has come so far, the comments aside. */
  events: { id: string; type: string; data: Record<string, unknown> }[]
  /** The place that it stands at: what it would connect again with. */
  lastId: () => string
  headers: Record<string, string | string[] | undefined>
  status: number
  /** Resolves when the stream has ended, by whomever. */
  ended: Promise<void>
  /** Hangs up. */
  close: () => void
}

export async function listen(
  url: string,
  key: string,
  { lastId, path = '/events/stream' }: { lastId?: string; path?: string } = {}
): Promise<Listener> {
  const hangUp = new AbortController()
  const headers = { authorization: `Bearer ${key}`, ...(lastId && { 'last-event-id': lastId }) }
  const answer = await request(url + path, { headers, signal: hangUp.signal, bodyTimeout: 0 })
  const events: Listener['events'] = []
  let last = lastId ?? ''
  let rest = ''
  const take = (block: string) => {
    const fields = block
      .split('\n')
      .filter(line => line !== '' && !line.startsWith(':'))
      .map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const)
    const of = (name: string) => fields.find(([field]) => field === name)?.[1]
    last = of('id') ?? last
    const data = of('data')
    if (data !== undefined) events.push({ id: last, type: of('event') ?? 'message', data: JSON.parse(data) })
  }
  const ended = (async () => {
    try {
      for await (const chunk of answer.body) {
        const blocks = (rest + chunk).split('\n\n')
        rest = blocks.pop()!
        for (const block of blocks) take(block)
      }
    } catch {
      // Hung up, or cut off.
    }
  })()
  return {
    events,
    ...{ lastId: () => last, headers: answer.headers, status: answer.statusCode, ended },
    close: () => hangUp.abort()
  }
}
