import type { Test } from 'tap'
import { type Dispatcher, request } from 'undici'
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/index.ts'
import '../patience.ts'

/** A tap test, as far as the helper needs it. */
interface Teardown {
  teardown(fn: () => unknown): void
}

export interface Ask {
  method?: Dispatcher.HttpMethod
  path: string
  query?: Record<string, string>
  json?: unknown
  form?: Record<string, string>
  parts?: Buffer
  headers?: Record<string, string>
  signal?: AbortSignal
}

export interface Reply {
  status: number
  headers: Record<string, unknown>
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  body: any
  bytes: Buffer
}

/** A sandbox for one test, closed when it ends. */
export async function open(t: Teardown, options?: SandboxOptions): Promise<Sandbox> {
  const sandbox = await startSandbox(options)
  t.teardown(() => sandbox.close())
  return sandbox
}

/** One call over real HTTP, with a bearer and a connection unless other headers are given. */
export async function ask({ url }: { url: string }, what: Ask): Promise<Reply> {
  const { path, query = {}, json, form, parts, signal } = what
  const search = new URLSearchParams(query).toString()
  const [type, body] =
    json !== undefined
      ? ['application/json', JSON.stringify(json)]
      : form !== undefined
        ? ['application/x-www-form-urlencoded', new URLSearchParams(form).toString()]
        : parts !== undefined
          ? [`multipart/form-data; boundary=${BOUNDARY}`, parts]
          : []
  const answer = await request(`${url}${path}${search === '' ? '' : `?${search}`}`, {
    method: what.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      authorization: 'Bearer test',
      'maton-connection': 'conn-1',
      ...(type === undefined ? {} : { 'content-type': type }),
      ...what.headers
    },
    body,
    signal
  })
  const bytes = Buffer.from(await answer.body.arrayBuffer())
  const text = bytes.toString()
  return { status: answer.statusCode, headers: answer.headers, text, bytes, body: parse(text) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const BOUNDARY = 'sandbox-test-boundary'

interface SentFile {
  name: string
  filename: string
  type: string
  bytes: Uint8Array | string
}

/** A multipart body of plain fields and at most one file, built by hand so that a test says exactly what is sent. */
export function parts(fields: Record<string, string>, file?: SentFile): Buffer {
  const head = (name: string, more = ''): string =>
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`
  const plain = Object.entries(fields).map(([name, value]) => Buffer.from(`${head(name)}${value}\r\n`))
  const more = `; filename="${file?.filename}"\r\nContent-Type: ${file?.type}`
  const whole =
    file === undefined ? [] : [Buffer.from(head(file.name, more)), Buffer.from(file.bytes), Buffer.from('\r\n')]
  return Buffer.concat([...plain, ...whole, Buffer.from(`--${BOUNDARY}--\r\n`)])
}

export const PHONE_ID = '106540352242922'
export const WABA_ID = '102290129340398'
export const META = '/whatsapp-business/v24.0'
export const MESSAGES = `${META}/${PHONE_ID}/messages`

/** A Cloud text message, or whatever the content says. */
export function cloudMessage(to: string, content: Record<string, unknown> = { text: { body: 'Hello' } }): Ask {
  const type = Object.keys(content)[0]
  return {
    path: MESSAGES,
    json: { messaging_product: 'whatsapp', recipient_type: 'individual', to, type, ...content }
  }
}

/** A WATI session text. */
export function watiText(to: string, text = 'Hello'): Ask {
  return { path: `/wati/api/v1/sendSessionMessage/${to}`, form: { messageText: text } }
}

/** The parameters of order_update as WATI takes them. */
export const ORDER = [
  { name: 'name', value: 'Ada' },
  { name: 'ordernumber', value: '12345' }
]

/** A WATI template send in either version. */
export function watiTemplate(to: string, version: 'v1' | 'v2' = 'v2', more: Record<string, unknown> = {}): Ask {
  return {
    path: `/wati/api/${version}/sendTemplateMessage`,
    query: { whatsappNumber: to },
    json: { template_name: 'order_update', broadcast_name: 'test', parameters: ORDER, ...more }
  }
}

/** A Cloud template send of order_update. */
export function cloudTemplate(to: string, more: Record<string, unknown> = {}): Ask {
  const parameters = ORDER.map(({ name, value }) => ({ type: 'text', parameter_name: name, text: value }))
  return cloudMessage(to, {
    template: {
      name: 'order_update',
      language: { code: 'en_US' },
      components: [{ type: 'body', parameters }],
      ...more
    }
  })
}

/** An id of WhatsApp's own making. */
export const wamid = /^wamid\.HBg[A-Za-z0-9+/=]+$/

/** One row of docs/upstream.md 5: its number, a name, a call, and what its body must hold. */
export type Row = readonly [row: number, name: string, call: Ask, holds: (reply: Reply) => boolean]

/** Every row succeeds, is processed, and breaks no rule. */
export async function checkRows(t: Test, sandbox: Sandbox, rows: readonly Row[]): Promise<void> {
  for (const [row, name, call, holds] of rows) {
    const reply = await ask(sandbox, call)
    const entry = sandbox.ledger.entries.at(-1)
    t.equal(reply.status, 200, `${row} ${name}: status`)
    t.ok(holds(reply), `${row} ${name}: body`, { text: reply.text })
    t.strictSame(entry?.violations, [], `${row} ${name}: no violation`)
    t.equal(entry?.processed, true, `${row} ${name}: processed`)
    if (call.path.startsWith(META)) t.match(reply.headers['x-fb-trace-id'], /^A/, `${row} ${name}: trace id`)
  }
}

/** A call that must be refused, and how: its status, and what its body or violation says. */
export type Bad = readonly [name: string, call: Ask, status: number, says: string | number]

/** Every call is refused as the real one would, is not processed, and leaves a violation. */
export async function checkRefusals(t: Test, sandbox: Sandbox, calls: readonly Bad[]): Promise<void> {
  for (const [name, call, status, says] of calls) {
    const { status: got, body, text } = await ask(sandbox, call)
    const entry = sandbox.ledger.entries.at(-1)
    t.equal(got, status, `${name}: status`, { text })
    const reason = body?.error?.code ?? `${text} ${entry?.violations.join()}`
    t.ok(typeof says === 'number' ? reason === says : String(reason).includes(says), `${name}: says`, { text, says })
    t.equal(entry?.processed, false, `${name}: not processed`)
    t.equal(entry?.violations.length, 1, `${name}: one violation`)
  }
}
