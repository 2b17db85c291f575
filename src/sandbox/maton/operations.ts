import { randomUUID } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import { type Act, type Answer, type Call, type Operation, Refusal } from '../call.ts'
import { checker, isMistake } from '../check.ts'
import { hex } from '../ids.ts'
import { standIns } from '../stand-ins.ts'
import { connectUrl, UNKNOWN_CONNECTION } from './seed-connections.ts'

/** Maton's own refusals; their body is unconfirmed and must not be read for logic (docs/upstream.md 2.4). */
export function matonError(status: number, text: string): Answer {
  return { status, body: { message: text } }
}

/** A request that is not formed as Maton wants. */
export const malformed = (text: string): Refusal => new Refusal(matonError(400, text), text)

/** How each app is authorised (docs/upstream.md 2.3; WATI's is presumed). */
const methodOf = (app: string): string | undefined => [...standIns.values()].find(one => one.app === app)?.method
const STATUSES = ['ACTIVE', 'PENDING', 'FAILED']

function listConnections(call: Call): Act {
  const { app, status, limit = '30' } = call.query
  if (app !== undefined && methodOf(app) === undefined) throw malformed(`app ${app} is not known`)
  if (status !== undefined && !STATUSES.includes(status)) throw malformed(`status ${status} is not known`)
  if (!/^[1-9]\d{0,3}$/.test(limit)) throw malformed('limit is not valid')
  const connections = [...call.state.connections.values()]
    .filter(one => (app === undefined || one.app === app) && (status === undefined || one.status === status))
    .slice(0, Number(limit))
  return () => ({ status: 200, body: { connections } })
}

const readCreate = checker(
  Type.Object(
    {
      app: Type.String(),
      method: Type.Optional(Type.String({ pattern: '^(API_KEY|BASIC|JWT|OAUTH1|OAUTH2|MCP)$' }))
    },
    { additionalProperties: false }
  )
)

function createConnection(call: Call): Act {
  const body = readCreate(call.body.kind === 'json' ? call.body.value : undefined)
  if (isMistake(body)) throw malformed(`${body.path} ${body.text}`)
  const { app, method = methodOf(app) } = body
  if (method === undefined || methodOf(app) === undefined) throw malformed(`app ${app} is not known`)
  return () => {
    // microseconds, as Maton writes them
    const now = new Date().toISOString().replace('Z', '000Z')
    const connection = {
      connection_id: randomUUID(),
      status: 'PENDING' as const,
      creation_time: now,
      last_updated_time: now,
      url: connectUrl(hex(32)),
      app,
      method,
      metadata: {}
    }
    call.state.connections.set(connection.connection_id, connection)
    call.entry.messageId = connection.connection_id
    return { status: 200, body: { connection } }
  }
}

function find(call: Call) {
  const connection = call.state.connections.get(call.params.id ?? '')
  if (connection !== undefined) return connection
  call.entry.refused = 'unknown connection'
  throw new Refusal(matonError(404, 'Connection not found'))
}

function getConnection(call: Call): Act {
  const connection = find(call)
  return () => ({ status: 200, body: { connection } })
}

function deleteConnection(call: Call): Act {
  const { connection_id: id } = find(call)
  return () => {
    call.state.connections.delete(id)
    call.state.deletedConnections.add(id)
    return { status: 200, body: {} }
  }
}

const maton = { provider: 'maton', query: [], body: 'none' } as const

/** Rows 1 to 4 of docs/upstream.md 5. */
export const matonOperations: readonly Operation[] = [
  {
    ...maton,
    name: 'maton.listConnections',
    kind: 'read',
    method: 'GET',
    path: '/connections',
    query: ['app', 'status', 'limit'],
    prepare: listConnections
  },
  {
    ...maton,
    name: 'maton.createConnection',
    kind: 'write',
    method: 'POST',
    path: '/connections',
    body: 'json',
    prepare: createConnection
  },
  {
    ...maton,
    name: 'maton.getConnection',
    kind: 'read',
    method: 'GET',
    path: '/connections/:id',
    prepare: getConnection
  },
  {
    ...maton,
    name: 'maton.deleteConnection',
    kind: 'write',
    method: 'DELETE',
    path: '/connections/:id',
    prepare: deleteConnection
  }
]

/** Refuses a proxy call whose connection Maton could not use; an id it never heard of is taken as active. */
export function checkConnection(call: Call): void {
  const { provider } = call.operation
  if (provider === 'maton') return
  const app = standIns.get(provider)?.app ?? ''
  const id = call.headers['maton-connection']
  if (typeof id !== 'string' || id === '') {
    throw new Refusal(matonError(400, 'Maton-Connection is required here'), 'the header Maton-Connection is missing')
  }
  const known = call.state.connections.get(id)
  const usable =
    known === undefined
      ? id !== UNKNOWN_CONNECTION && !call.state.deletedConnections.has(id)
      : known.status === 'ACTIVE' && known.app === app
  if (usable) return
  call.entry.refused = `no usable connection ${id}`
  throw new Refusal(matonError(400, `No active connection found for app ${app}`))
}
