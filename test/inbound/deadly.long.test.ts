import { randomUUID } from 'node:crypto'
import t from 'tap'
import { startSandbox } from '../../src/sandbox/index.ts'
import { cloudSettings, matonKey } from '../helper.ts'
import { place, type Running, run, text } from '../life/run.ts'
import { until } from '../until.ts'

// A body that ends the process each time it is read is set aside, and what came after it is read (docs/reliability.md P8).

t.test(
  'a body in hand when three processes ended is not read by the fourth; after two it still is',
  { timeout: 120_000 },
  async t => {
    const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
    t.teardown(() => sandbox.close())
    const directory = place(t)
    const start = (crash?: string): Promise<Running> =>
      run(t, {
        ...{ directory, matonUrl: sandbox.url },
        env: { NODE_ENV: 'test', PUBLIC_URL: 'http://localhost:1', ...(crash && { CRASH_AT: crash }) }
      })
    const ended = (of: Running) =>
      until(
        () => of.child.signalCode,
        signal => signal === 'SIGKILL'
      )
    /** Starts one that is to end by what was left; it may end before it listens. */
    const dies = () => start('webhook_in_hand').then(ended, error => t.match(error.message, /ended with null/))
    const pathOf = async (of: Running) => new URL((await of.call('GET', '/channels/cloud/webhooks')).body.url).pathname
    const told = async (of: Running, id: string, status: string) => {
      const metadata = { display_phone_number: '1', phone_number_id: cloudSettings.phoneNumberId }
      const one = { id, status, timestamp: '1795774460', recipient_id: '14155551234' }
      const change = { field: 'messages', value: { messaging_product: 'whatsapp', metadata, statuses: [one] } }
      const entry = [{ id: cloudSettings.businessAccountId, changes: [change] }]
      return of.call('POST', await pathOf(of), { object: 'whatsapp_business_account', entry, n: randomUUID() })
    }
    const state = async (of: Running, id: string) => (await of.call('GET', `/messages/${id}`)).body.status
    const reached = (of: Running, id: string, word: string) =>
      until(
        () => state(of, id),
        status => status === word
      )
    const unreadable = async (of: Running) => (await of.call('GET', '/channels/cloud/webhooks')).body.unreadable

    for (const [deaths, read] of [
      [2, true],
      [3, false]
    ] as const) {
      const first = await start('webhook_in_hand')
      const { body: message } = await first.call('POST', '/messages', text('+14155551234'))
      t.equal((await told(first, message.providerMessageId, 'delivered')).status, 200, 'kept and acknowledged')
      await ended(first)
      for (let n = 0; n < deaths; n++) await dies()
      if (read) {
        const next = await start()
        await reached(next, message.id, 'delivered')
        t.equal(await unreadable(next), 0, `CONTROL: after ${deaths} it is read`)
        await next.end()
        continue
      }
      const next = await start('webhook_in_hand')
      await until(
        () => unreadable(next),
        count => count === 1
      )
      t.equal(await state(next, message.id), 'accepted', 'it was not read')
      await next.end()
      const last = await start()
      await told(last, message.providerMessageId, 'read')
      await reached(last, message.id, 'read')
      t.equal(await unreadable(last), 1, 'it is kept, with its reason')
      await last.call('POST', '/channels/cloud/webhooks/replay', {})
      await last.end()
    }
  }
)
