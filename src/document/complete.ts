import { messageTypes } from '../../schemas/content.ts'
import { messageExamples } from '../../schemas/examples.ts'
import type { ErrorCode } from '../../schemas/problem.ts'
import type { AnyAdapter } from '../adapters/adapter.ts'
import { errorTable, ServiceError, toProblem } from '../errors.ts'
import { broadcastForm, tableBody, uploadBody } from './bodies.ts'
import type { Document, Operation } from './document.ts'

// What the routes' schemas cannot say: examples, forms, what the registry of adapters knows.

type Adapters = ReadonlyMap<string, AnyAdapter>

/** A problem as it comes with a status, of whatever route; where several codes share one, the first of the table. */
function problemExample(status: number): unknown {
  const [code, row] = Object.entries(errorTable).find(([, each]) => each.status === status) as [
    ErrorCode,
    { when: string }
  ]
  return toProblem(new ServiceError(code, row.when), {
    path: '/messages',
    requestId: 'req_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3',
    isWrite: true,
    typeBase: ''
  })
}

const nativeBody = { content: { '*/*': { schema: {} } } }

/** The rest of a path has no name in a route, and needs one in the document. */
function nameRest({ paths }: Document): void {
  for (const [path, operations] of Object.entries(paths)) {
    if (!path.endsWith('/{*}')) continue
    delete paths[path]
    paths[path.replace('{*}', '{path}')] = operations
    for (const [method, operation] of Object.entries(operations)) {
      for (const parameter of operation.parameters ?? []) {
        if (parameter.name !== '*') continue
        parameter.name = 'path'
        if (method === 'get') parameter.example = 'v24.0/106540352242922'
      }
      if (method !== 'get') operation.requestBody = nativeBody
      // The provider's own answers have these statuses too, and any type.
      for (const response of Object.values(operation.responses))
        response.content = { ...response.content, ...nativeBody.content }
    }
  }
}

/** Swagger UI fills examples in: a list would come narrowed to nothing by all of its filters at once. */
function emptyFilters({ operationId = '', parameters = [] }: Operation): void {
  if (!operationId.startsWith('list')) return
  for (const parameter of parameters) {
    const needed = parameter.name === 'channel' && operationId !== 'listMessages'
    if (parameter.in !== 'query' || needed || parameter.example === undefined) continue
    parameter.description = `${parameter.description ?? ''} For example \`${parameter.example}\`.`.trim()
    delete parameter.example
  }
}

/** What the registry of adapters knows: which providers there are, and what each of them takes. */
function fillIn(node: unknown, adapters: Adapters): void {
  if (typeof node !== 'object' || node === null) return
  const schema = node as Record<string, unknown>
  if (schema.format === 'provider') {
    delete schema.format
    schema.enum = [...adapters.keys()]
  }
  if (schema.providerSettings === true) {
    delete schema.providerSettings
    const each = [...adapters.values()].map(
      ({ provider, settings }) => `${provider}: ${Object.keys(settings.properties ?? {}).join(', ')}`
    )
    schema.description = `${schema.description} ${each.join('. ')}.`
  }
  if (schema.providerOptions === true) {
    const { description } = schema
    for (const key of Object.keys(schema)) delete schema[key]
    const own = [...adapters.values()].flatMap(({ provider, options }) => (options ? [[provider, options]] : []))
    const properties = JSON.parse(JSON.stringify(Object.fromEntries(own)))
    Object.assign(schema, { type: 'object', description, additionalProperties: false, properties })
  }
  for (const inner of Object.values(schema)) fillIn(inner, adapters)
}

const summaryOf = (type: string): string => `${/^[aeiou]/.test(type) ? 'An' : 'A'} ${type} message`
/** The examples by their type, and the one text for each provider's own channel in the sandbox. */
function sendExamples(adapters: Adapters): Record<string, { summary: string; value: unknown }> {
  const byType = messageTypes.map(type => [type, { summary: summaryOf(type), value: messageExamples[type] }])
  const channels = [...adapters.values()].flatMap(({ demo }) => demo?.id ?? [])
  const others = channels.filter(channel => channel !== messageExamples.text.channel)
  const byChannel = others.flatMap(channel =>
    (['text', 'template'] as const).map(type => [
      `${type}-${channel}`,
      { summary: `${summaryOf(type)} through ${channel}`, value: { ...messageExamples[type], channel } }
    ])
  )
  return Object.fromEntries([...byType, ...byChannel])
}

/** What is offered for the headers of requests. The first is empty: a page that fills in the same key each time sends once. */
const headerExamples: Readonly<Record<string, Record<string, { summary: string; value: string }>>> = {
  'idempotency-key': {
    none: { summary: 'Each request is a new act', value: '' },
    order: { summary: 'One act for this order, however often it is asked for', value: 'order-12345' }
  },
  prefer: {
    none: { summary: 'Wait for up to 10 seconds', value: '' },
    wait: { summary: 'Wait for up to 5 seconds', value: 'wait=5' },
    async: { summary: 'Answer at once', value: 'respond-async' }
  }
}

function nameHeaders({ parameters = [] }: Operation): void {
  for (const parameter of parameters) {
    const examples = headerExamples[parameter.name.toLowerCase()]
    if (parameter.in !== 'header' || !examples) continue
    delete parameter.example
    parameter.examples = examples
  }
}

/** What a schema-driven generator cannot know: examples by name, the discriminator's mapping, the upload's form. */
export function complete(document: Document, adapters: Adapters): void {
  fillIn(document, adapters)
  const send = document.components.schemas.SendMessage!
  const name = (type: string) => `#/components/schemas/Send${type[0]!.toUpperCase()}${type.slice(1)}`
  send.discriminator = {
    propertyName: 'type',
    mapping: Object.fromEntries(messageTypes.map(type => [type, name(type)]))
  }
  nameRest(document)
  for (const operations of Object.values(document.paths)) {
    for (const operation of Object.values(operations)) {
      emptyFilters(operation)
      const json = operation.requestBody?.content['application/json']
      if (['sendMessage', 'validateMessage'].includes(operation.operationId ?? '') && json)
        json.examples = sendExamples(adapters)
      for (const [status, { content }] of Object.entries(operation.responses)) {
        const problem = content?.['application/problem+json']
        // Where the provider's own answers come with the same status, one of ours is no example of it.
        if (problem && !content?.['*/*']) problem.example = problemExample(Number(status))
      }
      nameHeaders(operation)
      if (operation.operationId === 'markMessageRead' && operation.requestBody) operation.requestBody.required = false
      if (operation.operationId === 'uploadMedia') operation.requestBody = uploadBody
      if (['createBroadcast', 'validateBroadcast'].includes(operation.operationId ?? '') && operation.requestBody)
        operation.requestBody.content['multipart/form-data'] = broadcastForm
      if (operation.operationId === 'importContacts') operation.requestBody = tableBody
    }
  }
}
