import { request } from 'node:http'

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
