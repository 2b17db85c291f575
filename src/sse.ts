// Server-sent events as text (the WHATWG's HTML standard, 9.2): every stream of ours is made of these.

/** Silence of so long would be taken for a dead connection by what stands between. */
export const beatMs = 15_000

/** One event. `data` is one line, as JSON is. */
export const sse = ({ id, event, data }: { id?: string; event?: string; data: string }): string =>
  `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}data: ${data}\n\n`

/** How a stream begins: how long a client waits before it connects again, and where it stands, if there are places. */
export const sseBegin = (id?: string): string => `retry: 3000\n${id === undefined ? '' : `id: ${id}\n`}\n`

/** What is sent while nothing happens, with the place up to which nothing has. */
export const sseBeat = (id?: string): string => `: nothing new\n${id === undefined ? '' : `id: ${id}\n`}\n`
