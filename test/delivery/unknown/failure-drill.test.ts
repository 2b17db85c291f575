import t from 'tap'
import { magicRecipients } from '../../../src/sandbox/faults.ts'
import { cloudSettings, startBoard } from '../../helper.ts'

// Every way in which an outcome gets lost × everything that can be done about it: what is told is true, and each act
// sends at most once.

/** They hold up the whole account, so they come last. */
const throttling = new Set(['throttled', 'pair_limit', 'maton_throttled', 'throttled_once'])
const inOrder = magicRecipients.toSorted((a, b) => Number(throttling.has(a.name)) - Number(throttling.has(b.name)))

// Each provider has a board of its own, and what is lost is waited for: both wait together.
t.jobs = 2
for (const provider of ['whatsapp-cloud', 'wati'] as const) {
  t.test(`${provider}: every lost outcome × reconcile, resend and resolve`, { buffered: true }, async t => {
    const board = await startBoard(t, { env: { UPSTREAM_TIMEOUT_MS: '2000' } })
    const post = (path: string, body: unknown = {}) => board.call('POST', path, { body, headers: { prefer: 'wait=4' } })
    const sends = (to: string) => board.sandbox.ledger.entries.filter(each => each.kind === 'send' && each.to === to)
    let drilled = 0
    const drill = async ({ number: to, name, processed }: (typeof magicRecipients)[number]): Promise<void> => {
      const label = `${name} (${to})`
      // Each through a channel of its own: what fails so often would open a breaker.
      const channel = `to-${to}`
      const settings = provider === 'wati' ? {} : cloudSettings
      await post('/channels', { id: channel, provider, connectionId: 'a-connection', settings })
      const first = await post('/messages', { channel, to, type: 'text', text: { body: `Hello ${name}` } })
      if (first.body.status !== 'unknown') {
        const id = first.body.messageId ?? first.body.id
        t.equal((await post(`/messages/${id}/resolve`, { verdict: 'confirm_sent' })).status, 409, `${label}: is known`)
        t.equal((await post(`/messages/${id}/reconcile`)).status, 409, `${label}: needs no proof`)
        return
      }
      drilled++
      const { id } = first.body
      const found = await post(`/messages/${id}/reconcile`)
      t.equal(found.status, 200, label)
      const taken = sends(to)[0]!.processed
      if (provider === 'wati' && taken) {
        t.match(found.body, { status: 'accepted', resolution: 'reconciled' }, `${label}: it stands in the history`)
        t.equal((await post(`/messages/${id}/resend`, { acceptDuplicateRisk: true })).status, 409, label)
        t.equal(sends(to).length, 1, `${label}: and is not sent again`)
        return
      }
      t.equal(found.body.status, 'unknown', `${label}: nothing proves it, whether processed (${processed}) or not`)
      t.equal((await post(`/messages/${id}/resend`)).status, 400, `${label}: the risk is not accepted`)
      t.equal(sends(to).length, 1, label)
      const again = await post(`/messages/${id}/resend`, { acceptDuplicateRisk: true })
      t.match(again, { status: 202, body: { status: 'unknown', resendOf: id } }, label)
      t.equal(sends(to).length, 2, `${label}: once more`)
      const confirmed = await post(`/messages/${again.body.id}/resolve`, { verdict: 'confirm_sent' })
      t.match(confirmed.body, { status: 'accepted', resolution: 'confirmed' }, label)
      t.match((await board.call('GET', `/messages/${id}`)).body, {
        status: 'unknown',
        final: true,
        resolution: 'resent'
      })
      t.equal((await post(`/messages/${id}/resolve`, { verdict: 'abandon' })).status, 409, label)
      t.equal(sends(to).length, 2, `${label}: and no more`)
    }
    for (let i = 0; i < inOrder.length; i += 4) await Promise.all(inOrder.slice(i, i + 4).map(drill))
    t.ok(drilled >= 11, `CONTROL: ${drilled} of ${magicRecipients.length} were unknown`)
    t.same(board.sandbox.ledger.violations(), [])
  })
}
