import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readBody } from './body.ts'
import { checker, isMistake } from './check.ts'
import { magicRecipients } from './faults.ts'
import type { Faults } from './forcing.ts'
import type { Ledger, LedgerEntry } from './ledger.ts'

const text = () => Type.Optional(Type.String({ minLength: 1 }))

const readFault = checker(
  Type.Object(
    {
      recipient: text(),
      operation: text(),
      fault: Type.String({ enum: magicRecipients.map(({ name }) => name) }),
      times: Type.Optional(Type.Integer({ minimum: 1 }))
    },
    { additionalProperties: false }
  )
)

/** How the ledger's listing can be narrowed; each test holds or the entry is left out. */
const FILTERS: Record<string, (entry: LedgerEntry, value: string) => boolean> = {
  to: (entry, value) => entry.to === value || entry.deliveries.some(({ to }) => to === value),
  operation: (entry, value) => entry.operation === value,
  kind: (entry, value) => entry.kind === value,
  processed: (entry, value) => String(entry.processed) === value,
  violations: (entry, value) => String(entry.violations.length > 0) === value,
  since: (entry, value) => entry.n > Number(value)
}

function listing(ledger: Ledger, query: Record<string, string>): Partial<LedgerEntry>[] {
  const tests = Object.entries(query).flatMap(([name, value]) => {
    const filter = FILTERS[name]
    return filter === undefined ? [] : [(entry: LedgerEntry) => filter(entry, value)]
  })
  const fields = query.fields?.split(',') as (keyof LedgerEntry)[] | undefined
  return ledger.entries
    .filter(entry => tests.every(test => test(entry)))
    .map(entry => (fields === undefined ? entry : Object.fromEntries(fields.map(field => [field, entry[field]]))))
}

/** The sandbox's own paths: the ledger, and faults on order. They need no key and are in no ledger. */
export function addControl(app: FastifyInstance, ledger: Ledger, faults: Faults): void {
  app.get('/_sandbox/ledger', (request, reply) =>
    reply.send({
      entries: listing(ledger, request.query as Record<string, string>),
      dropped: ledger.dropped
    })
  )
  app.delete('/_sandbox/ledger', (_request, reply) => {
    ledger.clear()
    return reply.code(204).send()
  })
  app.get('/_sandbox/faults', (_request, reply) =>
    reply.send({
      pending: faults.pending(),
      known: magicRecipients.map(({ effect: _, ...row }) => row)
    })
  )
  app.delete('/_sandbox/faults', (_request, reply) => {
    faults.clear()
    return reply.code(204).send()
  })
  app.post('/_sandbox/faults', (request, reply) => order(faults, request, reply))
}

async function order(faults: Faults, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const body = await readBody(request)
  const fault = readFault(body.kind === 'json' ? body.value : undefined)
  if (isMistake(fault)) return reply.code(400).send({ message: `${fault.path} ${fault.text}` })
  faults.force(fault)
  return reply.code(201).send({ pending: faults.pending() })
}
