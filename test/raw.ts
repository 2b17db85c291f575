import { request } from 'node:http'
import { connect } from 'node:net'

export interface RawAnswer {
  status: number
  headers: Record<string, string | string[] | undefined>
  bytes: Buffer
}

/** One request whose target is sent as it is written: a URL parser would tidy `..` away before it left. */
export const raw = (
  url: string,
  method: string,
  target: string,
  options: { headers?: Record<string, string>; body?: Buffer | string } = {}
): Promise<RawAnswer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const outgoing = request(
      { hostname, port, method, path: target, headers: options.headers, agent: false },
      answer => {
        const chunks: Buffer[] = []
        answer.on('data', chunk => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () =>
          resolve({ status: answer.statusCode!, headers: answer.headers, bytes: Buffer.concat(chunks) })
        )
      }
    )
    outgoing.on('error', reject)
    outgoing.end(options.body)
  })

/** One request as it is written, with `Connection: close`, over a socket of its own. */
export const exchange = (
  url: string,
  head: string,
  body = ''
): Promise<{ status: number; headers: string; text: string }> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    let answer = ''
    socket.on('data', chunk => (answer += chunk)).on('error', reject)
    socket.on('close', () => {
      const [headers = '', text = ''] = answer.split('\r\n\r\n')
      resolve({ status: Number(answer.slice(9, 12)), headers, text })
    })
    socket.write(`${head}Connection: close\r\n\r\n${body}`)
  })
