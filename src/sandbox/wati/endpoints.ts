import { randomUUID } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import { type Act, type Call, PHONE, Refusal } from '../call.ts'
import { checker, isMistake } from '../check.ts'
import type { Hook } from '../webhooks/hooks.ts'
import { badField, badRequest } from './answers.ts'
import { eventTypes } from './webhooks.ts'

// WATI's webhook endpoints (docs/webhooks.md D2); how v3 lists and deletes them is unconfirmed, so its bodies are ours.

const readEndpoints = checker(
  Type.Array(
    Type.Object(
      {
        phoneNumber: Type.Optional(Type.String()),
        url: Type.String({ pattern: '^https?://\\S+$' }),
        status: Type.Integer({ minimum: 0, maximum: 2 }),
        eventTypes: Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })
      },
      { additionalProperties: false }
    ),
    { minItems: 1, maxItems: 20 }
  )
)

const keyOf = ({ headers }: Call): string => `tenant/${String(headers['maton-connection'])}`
const hooksOf = (call: Call): Hook[] => call.hooks.at.get(keyOf(call)) ?? []

const shown = ({ id, url, status, eventTypes, phoneNumber }: Hook): Record<string, unknown> => ({
  id,
  phoneNumber: phoneNumber ?? null,
  url,
  status,
  eventTypes: eventTypes ?? []
})

/** The names that can be registered; that one can be is no promise that it comes. */
export function listEventTypes(_call: Call): Act {
  return () => ({ status: 200, body: { eventTypes } })
}

/** The body is an array, and an address that is there already is refused inside a 200. */
export function createEndpoints(call: Call): Act {
  const body = readEndpoints(call.body.kind === 'json' ? call.body.value : undefined)
  if (isMistake(body)) throw badField(body)
  for (const { phoneNumber, eventTypes: wanted } of body) {
    if (phoneNumber !== undefined && !PHONE.test(phoneNumber)) throw badRequest('phoneNumber is not a plain number')
    const unknown = wanted.find(name => !eventTypes.includes(name as (typeof eventTypes)[number]))
    if (unknown !== undefined) throw badRequest(`eventTypes has ${unknown}, which is not known`)
  }
  return () => {
    const known = hooksOf(call)
    const again = body.find(({ url }) => known.some(hook => hook.url === url))
    if (again !== undefined) {
      call.entry.refused = 'the address is registered already'
      return { status: 200, body: { ok: false, errors: [`Webhook endpoint already exists: ${again.url}`] } }
    }
    const made = body.map(
      ({ status, ...rest }): Hook => ({ ...rest, id: randomUUID(), status: status as Hook['status'], failures: 0 })
    )
    call.hooks.at.set(keyOf(call), [...known, ...made])
    return { status: 200, body: { ok: true, result: made.map(shown) } }
  }
}

export function listEndpoints(call: Call): Act {
  return () => ({ status: 200, body: { webhooks: hooksOf(call).map(shown) } })
}

export function deleteEndpoint(call: Call): Act {
  const { hook } = call.params
  const known = hooksOf(call)
  if (!known.some(({ id }) => id === hook)) {
    call.entry.refused = 'unknown webhook endpoint'
    throw new Refusal({
      status: 404,
      body: { code: 5004, message: 'Webhook not found', timestamp: new Date().toISOString() }
    })
  }
  return () => {
    call.hooks.at.set(
      keyOf(call),
      known.filter(({ id }) => id !== hook)
    )
    return { status: 200, body: { result: true } }
  }
}
