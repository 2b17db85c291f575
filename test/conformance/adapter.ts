import { type TSchema, Type } from '@sinclair/typebox'
import { Ajv } from 'ajv'
import type { Test } from 'tap'
import type { MediaType, MessageType } from '../../schemas/content.ts'
import { nullable } from '../../schemas/kit.ts'
import { Template, TemplateVariable } from '../../schemas/templates.ts'
import {
  type AnyAdapter,
  type Encoded,
  effects,
  type Operation,
  type Operations,
  type Sendable
} from '../../src/adapters/adapter.ts'
import { samples } from '../../src/media/samples.ts'
import { type LedgerEntry, type Sandbox, startSandbox } from '../../src/sandbox/index.ts'
import { closedPort, openStub } from '../upstream/stub.ts'
import { accountInputs, accountShapes } from './account.ts'
import { contactInputs, contactShapes } from './contact-operations.ts'
import { id, messagesOf, to } from './examples.ts'
import { type Failure, failures, type Meaning, type Words } from './failures.ts'
import { apiKey, connectionId, type Result, run, temporaryFile } from './rig.ts'
import { webhookInputs, webhookShapes } from './webhook-operations.ts'
import '../patience.ts'

/** What the suite has to be told of a provider; everything else it reads from the adapter's tables. */
export interface Example {
  adapter: AnyAdapter
  settings: Record<string, string>
  /** Method and path of each operation of the adapter; `{id}` is what the sandbox names. */
  paths: { readonly [K in Operation]?: string }
  words: Words
}

const Person = Type.Object(
  { phone: Type.Optional(Type.String({ pattern: '^[1-9]\\d{6,14}$' })), userId: Type.Optional(Type.String()) },
  { additionalProperties: false }
)
/** What each operation answers, whatever the provider. */
const shapes: Record<Operation, TSchema> = {
  sendMessage: Type.Object(
    {
      providerMessageId: nullable(Type.String({ minLength: 1 })),
      aliases: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, uniqueItems: true })),
      recipient: Type.Optional(Person),
      warnings: Type.Array(Type.String({ minLength: 1 }))
    },
    { additionalProperties: false }
  ),
  sendBatch: Type.Object(
    {
      outcomes: Type.Array(
        Type.Object(
          {
            receipt: Type.Object({
              providerMessageId: Type.Literal(id),
              recipient: Type.Object({ phone: Type.Literal(to) }),
              warnings: Type.Array(Type.String())
            })
          },
          { additionalProperties: false }
        ),
        { minItems: 1, maxItems: 1 }
      )
    },
    { additionalProperties: false }
  ),
  listTemplates: Type.Object(
    {
      items: Type.Array(
        Type.Object(
          {
            ...Type.Omit(Template, ['syncedAt']).properties,
            mediaVariable: Type.Optional(Type.String()),
            mediaPosition: Type.Optional(Type.Integer())
          },
          { additionalProperties: false }
        ),
        { minItems: 1 }
      ),
      nextCursor: nullable(Type.String({ minLength: 1 }))
    },
    { additionalProperties: false }
  ),
  uploadMedia: Type.Object(
    { providerMediaId: Type.String({ minLength: 1 }), lifeSeconds: Type.Integer({ minimum: 60 }) },
    { additionalProperties: false }
  ),
  deleteMedia: Type.Null(),
  locateMedia: Type.Object({ url: Type.String({ pattern: '^https://' }), mimeType: Type.Optional(Type.String()) }),
  ...accountShapes,
  ...webhookShapes,
  ...contactShapes
}

const ajv = new Ajv({ strict: false, validateFormats: false, schemas: [TemplateVariable] })
function shapeFaults(operation: Operation, output: unknown): string[] {
  ajv.validate(shapes[operation], output)
  return (ajv.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
}

/** Every header that may leave the house (docs/reliability.md T14); Maton forwards all but two of them. */
const allowed = new Set(
  (
    'host connection content-type content-length transfer-encoding accept accept-encoding user-agent ' +
    'authorization maton-connection'
  ).split(' ')
)
function headerFaults(headers: Record<string, unknown>): string[] {
  return [
    ...Object.keys(headers).flatMap(name => (allowed.has(name) ? [] : [`the header ${name} was sent`])),
    ...(headers.authorization === `Bearer ${apiKey}` ? [] : ['the bearer is not the key']),
    ...(headers['maton-connection'] === connectionId ? [] : ['the connection is not the channel’s'])
  ]
}

const secretsIn = (said: string): string[] =>
  [apiKey, connectionId].flatMap(secret => (said.includes(secret) ? [`${secret} is in what was thrown or logged`] : []))

/** Short where nothing but the deadline ends the call, and else long enough for a machine that is busy. */
const deadlineOf = (play: unknown): number => (['silence', 'stall', 'dribble'].includes(String(play)) ? 500 : 10_000)

/** Plays one failure to one operation: everything that is wrong with what became of it. */
export async function faultsOf(
  { adapter, settings, words }: Example,
  operation: Operation,
  input: Operations[Operation]['input'],
  failure: Failure
): Promise<string[]> {
  const play = failure.play(words)
  const dead = play === 'refused connection'
  const stub = dead ? undefined : await openStub(play, words.success)
  const result = await run(
    adapter,
    settings,
    operation,
    input,
    stub?.url ?? `http://127.0.0.1:${await closedPort()}`,
    deadlineOf(play)
  )
  await stub?.close()
  const seen = stub?.seen ?? []
  const expected = effects[operation] === 'read' ? failure.onRead(words) : failure.onWrite(words)
  return [
    ...(seen.length === (dead ? 0 : 1) ? [] : [`${seen.length} requests reached the server`]),
    ...seen.flatMap(({ headers }) => headerFaults(Object.fromEntries(headers))),
    ...secretsIn(result.said),
    ...(expected ? meaningFaults(result, expected, operation, dead) : receiptFaults(result))
  ]
}

function meaningFaults({ failure, record, defect }: Result, expected: Meaning, operation: Operation, dead: boolean) {
  if (!failure) return [defect ? `threw ${defect}` : 'was no failure']
  const { code, outcome, later, retryAfterSeconds, throttles } = failure.verdict
  const got: Meaning = { code, outcome, later, retryAfterSeconds, throttles }
  const faults = (Object.keys(got) as (keyof Meaning)[]).flatMap(key =>
    got[key] === expected[key] ? [] : [`${key} is ${got[key]}, not ${expected[key]}`]
  )
  // the rule itself, whatever the row says: a request that may have been taken is never sent again
  if (later && outcome === 'unknown') faults.push('later beside an unknown outcome')
  if (later && record?.started && record.status === undefined && effects[operation] !== 'read')
    faults.push('later although the request was started and never answered')
  if (record?.started === dead) faults.push(`started is ${record?.started}`)
  return faults
}

function receiptFaults({ output, failure, defect }: Result): string[] {
  const { providerMessageId, warnings } = (output ?? {}) as Partial<Operations['sendMessage']['output']>
  if (failure || defect) return [`threw ${failure ?? defect}`]
  return providerMessageId === null && warnings?.length === 1 ? [] : ['no id, and no warning that there is none']
}

/** The id of what an operation is about: the paths of an example name it `{id}`. */
const idIn = (input: object): string => {
  const { providerMediaId, id, path } = input as { providerMediaId?: string; id?: string; path?: string }
  return providerMediaId ?? id ?? path ?? ''
}

/** The suite that every provider passes. Its cases come from the adapter's own tables. */
export async function conformance(t: Test, example: Example): Promise<void> {
  const { adapter, settings, words, paths } = example
  const operations = Object.keys(adapter.operations) as Operation[]
  const types = Object.keys(adapter.encoders) as MessageType[]
  const channel = { id: 'main', provider: adapter.provider, mode: 'live', settings } as const
  const sampleOf = (type: MediaType) => {
    const { mimeType, filename, base64 } = samples[type]
    return temporaryFile(t, Buffer.from(base64, 'base64'), mimeType, filename)
  }
  const text: Encoded = adapter.encoders.text!.encode({ id, to, type: 'text', content: { body: 'Hello' } }, channel)
  const templateMessage = async () => {
    const all = await messagesOf('template', undefined, { file: sampleOf })
    return all[0]![1] as Sendable<'template'>
  }
  const upload = async (sandbox: Sandbox, type: MediaType): Promise<string> => {
    const input = { file: await sampleOf(type) }
    const { output } = await run(adapter, settings, 'uploadMedia', input, sandbox.url, 5000)
    if (!output) throw new Error('the upload failed')
    return output.providerMediaId
  }
  /** What each operation is given; the file to delete has to be there. */
  const inputs: { [K in Operation]: (sandbox?: Sandbox) => Promise<Operations[K]['input']> } = {
    sendMessage: async () => text,
    sendBatch: async () => ({ name: 'may', messages: [await templateMessage()] }),
    listTemplates: async () => ({ limit: 100 }),
    uploadMedia: async () => ({ file: await sampleOf('image') }),
    deleteMedia: async sandbox => ({ providerMediaId: sandbox ? await upload(sandbox, 'image') : '1' }),
    locateMedia: async sandbox => ({ path: sandbox ? await upload(sandbox, 'image') : '1' }),
    ...accountInputs,
    ...webhookInputs(t, example),
    ...contactInputs
  }
  const open = async (t: Test): Promise<Sandbox> => {
    const sandbox = await startSandbox({ apiKey })
    t.teardown(() => sandbox.close())
    return sandbox
  }
  const only = (t: Test, { ledger }: Sandbox): LedgerEntry | undefined => {
    t.strictSame(ledger.violations(), [], 'a strict upstream finds nothing wrong')
    t.equal(ledger.entries.length, 1, 'exactly one request')
    t.strictSame(headerFaults(ledger.entries[0]?.headers ?? {}), [], 'no header but the known ones')
    return ledger.entries[0]
  }

  for (const operation of operations) {
    t.test(`${operation} is one request, and answers in our words`, async t => {
      const sandbox = await open(t)
      const input = await inputs[operation](sandbox)
      sandbox.ledger.clear()
      const { output, said, record } = await run(adapter, settings, operation, input, sandbox.url, 5000)
      const entry = only(t, sandbox)
      const path = paths[operation]?.replace('{id}', idIn(input))
      t.equal(`${entry?.method} ${entry?.path}`, path)
      t.strictSame(shapeFaults(operation, output), [], 'the shape')
      t.match(record, { started: true, status: 200 })
      t.equal(said, '', 'nothing is logged of a success')
    })
  }

  for (const type of types) {
    t.test(`${type} is accepted by a strict upstream`, async t => {
      const sandbox = await open(t)
      const encoder = adapter.encoders[type]!
      const supply = {
        file: sampleOf,
        ...(adapter.operations.uploadMedia && { providerMediaId: (kind: MediaType) => upload(sandbox, kind) })
      }
      for (const [name, message] of await messagesOf(type, encoder.media, supply)) {
        sandbox.ledger.clear()
        const before = structuredClone(message)
        const encoded = encoder.encode(message as never, channel)
        t.strictSame(message, before, `${name}: what is encoded stays as it was`)
        t.strictSame(encoder.encode(message as never, channel), encoded, `${name}: the same again`)
        const { output, defect, failure } = await run(adapter, settings, 'sendMessage', encoded, sandbox.url, 5000)
        t.notOk(defect ?? failure, name)
        const entry = only(t, sandbox)
        t.match(entry, { processed: true, deliveries: [{ to, messageId: output?.providerMessageId }] }, name)
      }
    })
  }

  for (const failure of failures) {
    const met = operations.filter(operation => operation === 'sendMessage' || !failure.sendOnly)
    t.test(`${failure.name}: the right code and outcome, one request, no secret`, t =>
      Promise.all(
        met.map(async operation => {
          t.strictSame(await faultsOf(example, operation, await inputs[operation](), failure), [], operation)
        })
      )
    )
  }

  t.test('a refusal that repeats our key and connection is passed on without them', async t => {
    const body = words.refusal(`No connection ${connectionId} for ${apiKey}`)
    const repeated: Failure = {
      name: 'a refusal that repeats our key',
      play: () => body,
      onWrite: () => ({ code: body.code, outcome: 'not_sent', later: false }),
      onRead: () => ({ code: body.code, outcome: 'not_sent', later: false })
    }
    for (const operation of operations)
      t.strictSame(await faultsOf(example, operation, await inputs[operation](), repeated), [], operation)
  })
}
