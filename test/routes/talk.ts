import { connect } from 'node:net'
import { adminKey, type Board } from '../helper.ts'

// Bare sockets, for what no HTTP client would send.

export interface Talk {
  text: string
  /** When the server hung up. */
  ms: number
}
/** Says the pieces, one a step of `everyMs`, and listens until the server hangs up (or `done` is answered). */
export function talk(
  board: Board,
  pieces: (string | Buffer)[],
  { everyMs = 0, over = (_: string): boolean => false } = {}
): Promise<Talk> {
  return new Promise(resolve => {
    const begun = performance.now()
    const socket = connect(Number(new URL(board.url).port), '127.0.0.1')
    let text = ''
    const rest = [...pieces]
    const say = () => {
      const piece = rest.shift()
      if (piece !== undefined && socket.writable) socket.write(piece)
    }
    if (everyMs === 0) while (rest.length > 0) say()
    const timer = everyMs === 0 ? undefined : setInterval(say, everyMs)
    const end = () => {
      clearInterval(timer)
      socket.destroy()
      resolve({ text, ms: performance.now() - begun })
    }
    socket.on('data', chunk => {
      text += chunk.toString('latin1')
      if (over(text)) end()
    })
    socket.on('error', () => {})
    socket.on('close', end)
  })
}
export const statuses = (text: string) =>
  [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status))
export const message = JSON.stringify({ channel: 'cloud', to: '14155551234', type: 'text', text: { body: 'smuggled' } })
export const auth = `Authorization: Bearer ${adminKey}\r\n`
export const inner = `POST /messages HTTP/1.1\r\nHost: x\r\n${auth}Content-Type: application/json\r\nContent-Length: ${message.length}\r\n\r\n${message}`
export const head = `POST /messages HTTP/1.1\r\nHost: x\r\n${auth}Content-Type: application/json\r\n`
