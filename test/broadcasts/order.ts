import type { Answer, Board } from '../helper.ts'
import { until } from '../helper.ts'

export const template = { name: 'order_update', language: 'en_US' }
export const everyBroadcastScope = ['broadcasts:read', 'broadcasts:write', 'messages:read', 'messages:send']

/** A number of the sandbox that nothing special is about. */
export const phone = (i: number): string => `1415${String(5_550_000 + i).padStart(7, '0')}`
export const recipient = (i: number) => ({
  to: phone(i),
  variables: { name: `Name ${i}`, ordernumber: String(i) },
  reference: `order-${i}`
})
export const order = (count: number, more: Record<string, unknown> = {}) => ({
  channel: 'cloud',
  name: 'May',
  template,
  recipients: Array.from({ length: count }, (_, i) => recipient(i)),
  ...more
})
export const table = (count: number): string =>
  `phone,reference,name,ordernumber\r\n${Array.from({ length: count }, (_, i) => `${phone(i)},order-${i},Name ${i},${i}\r\n`).join('')}`

const boundary = 'x-boundary-x'
/** A multipart body: the fields, then the file. */
export const form = (fields: Record<string, string>, file?: string | Buffer): Buffer =>
  Buffer.concat([
    ...Object.entries(fields).map(([name, value]) =>
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
    ),
    ...(file === undefined
      ? []
      : [
          Buffer.from(
            `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n`
          ),
          Buffer.from(file),
          Buffer.from('\r\n')
        ]),
    Buffer.from(`--${boundary}--\r\n`)
  ])
export const formType = { 'content-type': `multipart/form-data; boundary=${boundary}` }
export const fields = { channel: 'cloud', name: 'May', template: JSON.stringify(template) }

/** A POST as a well-behaved caller makes it: where a busy machine refuses it, nothing was done, and it is made again. */
export const post = (board: Board, query: string, options: Parameters<Board['call']>[2]): Promise<Answer> =>
  until(
    () => board.call('POST', `/broadcasts${query}`, options),
    ({ status }) => status !== 503
  )
export const upload = (
  board: Board,
  file: string | Buffer,
  query = '',
  more: { fields?: Record<string, string>; headers?: Record<string, string>; key?: string } = {}
): Promise<Answer> =>
  post(board, query, {
    body: form({ ...fields, ...more.fields }, file),
    headers: { ...formType, ...more.headers },
    ...(more.key && { key: more.key })
  })
/** Calls until the answer is no refusal for lack of time. */
export const calm = (board: Board, ...call: Parameters<Board['call']>): Promise<Answer> =>
  until(
    () => board.call(...call),
    ({ status }) => status !== 503
  )

export const ended = (board: Board, id: string, withinMs = 60_000): Promise<Answer> =>
  until(
    () => board.call('GET', `/broadcasts/${id}`),
    ({ body }) => body.finishedAt !== undefined,
    withinMs
  )
