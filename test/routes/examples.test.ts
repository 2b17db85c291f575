import t from 'tap'
import { document as openapi } from '../document.ts'
import { cloudSettings, startBoard } from '../helper.ts'

// What Swagger UI fills in, sent as it stands to the channels of the sandbox.

interface Operation {
  operationId: string
  parameters?: { name: string; in: string; example?: unknown }[]
  requestBody?: { content: Record<string, { schema: { $ref?: string } }> }
}
const document = openapi as {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, { examples?: unknown[] }> }
}

const wanted = [
  'listTemplates',
  'getTemplate',
  'createTemplate',
  'deleteTemplate',
  'markMessageRead',
  'assignContact',
  'unassignContact',
  'listPhoneNumbers',
  'getPhoneNumber',
  'getProfile',
  'updateProfile'
]

t.test('the examples of the document work in the sandbox as they are', async t => {
  const board = await startBoard(t)
  for (const [id, provider, settings] of [
    ['demo-cloud', 'whatsapp-cloud', cloudSettings],
    ['demo-wati', 'wati', {}]
  ] as const)
    await board.call('POST', '/channels', { body: { id, provider, connectionId: 'c', settings } })
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation }))
  )
  for (const operationId of wanted) {
    const { path, method, parameters = [], requestBody } = operations.find(each => each.operationId === operationId)!
    const given = parameters.filter(each => each.example !== undefined)
    const filled = given.reduce(
      (text, { name, example }) => text.replace(`{${name}}`, encodeURIComponent(String(example))),
      path
    )
    const query = given
      .filter(each => each.in === 'query')
      .map(({ name, example }): [string, string] => [name, String(example)])
    const name = requestBody?.content['application/json']?.schema.$ref?.split('/').at(-1) ?? ''
    const [body] = document.components.schemas[name]?.examples ?? []
    const address = `${filled}?${new URLSearchParams(query)}`
    const answer = await board.call(method, address, body ? { body } : {})
    t.ok(answer.status < 300, `${operationId}: ${method} ${address} ${answer.text.slice(0, 200)}`)
  }
  t.strictSame(board.sandbox.ledger.violations(), [])
})
