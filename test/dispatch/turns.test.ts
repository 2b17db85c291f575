import pino from 'pino'
import t from 'tap'
import { whatsappCloud } from '../../src/adapters/whatsapp-cloud/index.ts'
import { type Admission, type Answer, free, type Permit } from '../../src/dispatch/admission.ts'
import { createProviderClient } from '../../src/dispatch/provider-client.ts'
import { createMetrics } from '../../src/metrics.ts'
import { createMaton } from '../../src/upstream/maton.ts'
import { openAdmission } from '../admission.ts'
import { cloudSettings } from '../helper.ts'
import { closedPort, openStub } from '../upstream/stub.ts'

// What the pace is told of each call: when it leaves, and how it is answered (decision 104).

const log = pino({ level: 'silent' })
const channel = { id: 'cloud', provider: 'whatsapp-cloud', mode: 'live', connectionId: 'c', settings: cloudSettings }
const slot = { key: 'account/live', entry: 0, at: 0, lateMs: 0, wayMs: 0, until: 0, bookedAt: 0 }

t.test('a call is told of once when it leaves and once when it is answered; nothing where no answer came', async t => {
  const status = { value: 200 }
  const stub = await openStub(() => ({ status: status.value, body: { data: [] } }), {})
  t.teardown(() => stub.close())
  const told: (Answer | 'left')[] = []
  let permit: Permit = { ...free, slot }
  const admission: Admission = {
    ...openAdmission,
    admit: async () => permit,
    left: () => void told.push('left'),
    answered: (_, answer) => void told.push(answer)
  }
  const call = async (baseUrl: string) => {
    told.length = 0
    const maton = createMaton({ baseUrl, apiKey: 'key', timeoutMs: 5000 })
    const adapters = new Map([['whatsapp-cloud', whatsappCloud]])
    const client = createProviderClient({ adapters, upstream: () => maton, admission, log, metrics: createMetrics() })
    await client.call('listTemplates', channel as never, { limit: 10 } as never).catch(() => {})
    await maton.close()
    return [...told]
  }
  const kind = 'whatsapp-cloud/listTemplates'
  t.strictSame(await call(stub.url), ['left', { kind, ok: true }])
  status.value = 400
  t.strictSame(await call(stub.url), ['left', { kind, ok: false }])
  t.strictSame(await call(`http://127.0.0.1:${await closedPort()}`), [])
  permit = free
  t.strictSame(await call(stub.url), [], 'without a pace nobody asks')
})
