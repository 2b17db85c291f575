import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import t from 'tap'
import { eventExamples } from '../../schemas/event-examples.ts'
import { eventTypes } from '../../schemas/events.ts'
import { document as openapi } from '../document.ts'
import { makeEvents } from './made.ts'

interface Hook {
  post: { requestBody: { content: { 'application/json': { schema: object; example: object } } } }
}
const document = openapi as { components: object; webhooks: Record<string, Hook> }
const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { person: true } })
;(formats as unknown as (ajv: Ajv2020) => void)(ajv)
ajv.addSchema({ $id: 'document', components: document.components })
const within = (schema: object) =>
  ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"document#/components')))

interface Counts {
  accepted: number
  sent: number
  delivered: number
  read: number
}
/** How far a message of a broadcast has come when that ends is a race of its own: all that went out counts as read. */
const goneOut = ({ accepted, sent, delivered, read, ...rest }: Counts) => ({
  ...{ accepted: 0, sent: 0, delivered: 0, read: accepted + sent + delivered + read },
  ...rest
})

/** An event with ids and instants in place of those of the day. */
const plain = (event: object): unknown =>
  JSON.parse(
    JSON.stringify(event, (key, value) => (key === 'counts' ? goneOut(value) : value))
      .replace(/\b(evt|msg|brd|sup|key)_[0-9a-f]{32}/g, '$1_x')
      .replace(/wamid\.[A-Za-z0-9+/=_]+/g, 'wamid.x')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'then')
      .replace(/"traceId":"[^"]+"/g, '"traceId":"x"')
      .replace(/"sequence":\d+/g, '"sequence":0')
  )

t.test('every type of event stands in the document, with an example that the sandbox makes', async t => {
  t.strictSame(Object.keys(document.webhooks).sort(), [...eventTypes].sort())
  const made = await makeEvents(t)
  for (const type of eventTypes) {
    const { schema, example } = document.webhooks[type]!.post.requestBody.content['application/json']
    const fits = within(schema)
    const event = made.get(type)!
    t.ok(fits(event), `${type}: ${ajv.errorsText(fits.errors)}`)
    t.ok(fits(example), `${type}, the example: ${ajv.errorsText(fits.errors)}`)
    t.strictSame(plain(event), plain(example), type)
    t.strictSame(example, eventExamples[type])
    t.notOk(fits({ ...event, type: 'message.queued' }), `${type}, CONTROL: no other type fits`)
    t.notOk(
      fits({ ...event, data: { ...event.data, status: 5, change: 5, id: 5, silentSince: 5 } }),
      `${type}, CONTROL`
    )
  }
  const one = within({ $ref: '#/components/schemas/Event' })
  for (const event of made.values()) t.ok(one(event), `${event.type}: ${ajv.errorsText(one.errors)}`)
  t.notOk(one({ ...made.get('message.read'), type: 'channel.silent' }), 'CONTROL: not in the form of another')
})
