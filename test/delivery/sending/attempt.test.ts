import t from 'tap'
import { blockKey, blockQueries } from '../../../src/messages/blocks.ts'
import { messageQueries } from '../../../src/messages/queries.ts'
import { change, type Store, StoreUnavailable } from '../../../src/store/store.ts'
import { attemptRig, phones } from './attempt-rig.ts'

const count = <T>(values: T[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1
  return counts
}
const bad = '15550100001'

t.test('a chunk is one call, and each message is accepted under our own id', async t => {
  const rig = await attemptRig(t)
  const claimed = await rig.claimed(phones(250))
  const broadcast = claimed[0]!.broadcast_id!
  await rig.deliver(claimed)
  const batches = rig.batches()
  t.match(batches, [{ broadcast_name: broadcast, receivers: { length: 250 } }])
  t.strictSame(rig.sandbox.ledger.violations(), [])
  const rows = await rig.rows(broadcast)
  const told = rows.map(({ state, attempts, error, ...row }) => [
    state,
    row.provider_message_id === row.id,
    attempts,
    error
  ])
  t.strictSame(count(told), { 'accepted,true,1,': 250 })
  t.strictSame(
    batches[0]!.receivers.map(({ localMessageId }) => localMessageId).sort(),
    claimed.map(({ id }) => id).sort()
  )
})

t.test('whoever is not on WhatsApp fails alone', async t => {
  const rig = await attemptRig(t)
  const claimed = await rig.claimed([...phones(5), bad])
  await rig.deliver(claimed)
  const rows = await rig.rows(claimed[0]!.broadcast_id!)
  t.strictSame(count(rows.map(({ state }) => state)), { accepted: 5, failed: 1 })
  const failed = rows.find(({ state }) => state === 'failed')!
  t.match(
    { ...failed, error: JSON.parse(failed.error!) },
    { contact: bad, final: 1, error: { code: 'recipient_invalid' } }
  )
})

t.test('one whose template does not fit any more fails alone, before the call', async t => {
  const rig = await attemptRig(t)
  const claimed = await rig.claimed(phones(4))
  const [odd] = claimed
  await rig.deliver([
    { ...odd!, content: '{"name":"order_update","language":"en_US","variables":{"name":"x"}}' },
    ...claimed.slice(1)
  ])
  const rows = await rig.rows(odd!.broadcast_id!)
  t.strictSame(count(rows.map(({ state }) => state)), { accepted: 3, failed: 1 })
  t.match(rig.batches(), [{ receivers: { length: 3 } }])
})

t.test('a lost answer makes the whole chunk unknown, and none of it is sent again', async t => {
  const rig = await attemptRig(t)
  const claimed = await rig.claimed(phones(20))
  await rig.force('reset_after')
  await rig.deliver(claimed)
  const rows = await rig.rows(claimed[0]!.broadcast_id!)
  t.strictSame(count(rows.map(({ state, final }) => `${state} ${final}`)), { 'unknown 0': 20 })
  t.match(JSON.parse(rows[0]!.error!), { code: 'outcome_unknown', outcome: 'unknown' })
  t.equal(rig.batches().length, 1)
})

t.test('a throttled chunk waits as long as it was told, and nothing of it has failed', async t => {
  const rig = await attemptRig(t)
  const claimed = await rig.claimed(phones(20))
  await rig.force('throttled')
  const since = Date.now()
  await rig.deliver(claimed)
  const rows = await rig.rows(claimed[0]!.broadcast_id!)
  t.strictSame(count(rows.map(({ state }) => state)), { queued: 20 })
  for (const { run_at } of rows) t.ok(run_at > since + 8000 && run_at < Date.now() + 12_000)
})

t.test('what was paused between claim and dispatch goes back to its line, and nothing leaves', async t => {
  const rig = await attemptRig(t)
  const claimed = await rig.claimed(phones(10))
  const broadcast = claimed[0]!.broadcast_id!
  await rig.store.write(function* () {
    yield blockQueries(rig.store).stop({ key: blockKey.broadcast(broadcast), detail: 'paused', at: 1 })
  })
  await rig.deliver(claimed)
  t.strictSame(rig.batches(), [])
  const rows = await rig.rows(broadcast)
  t.strictSame(count(rows.map(({ state, attempts }) => `${state} ${attempts}`)), { 'queued 0': 10 })

  const others = await rig.claimed(phones(10))
  await rig.deliver(others)
  t.equal(rig.batches().length, 1, 'CONTROL: without the block it goes')
})

t.test('of a chunk only those go out that still may: not the canceled, not the expired', async t => {
  const rig = await attemptRig(t)
  const claimed = await rig.claimed(phones(6), { expires_at: Date.now() + 60_000 })
  const [canceled, expired] = claimed
  const { cancel } = messageQueries(rig.store)
  await rig.store.write(() => change(cancel({ id: canceled!.id, entry: '', doubt: '' })))
  await rig.store.write(() =>
    change(rig.store.build.updateTable('messages').set({ expires_at: 1 }).where('id', '=', expired!.id))
  )
  await rig.deliver(claimed)
  t.match(rig.batches(), [{ receivers: { length: 4 } }])
  const rows = await rig.rows(canceled!.broadcast_id!)
  t.strictSame(
    rows.map(({ state }) => state),
    ['canceled', 'queued', 'accepted', 'accepted', 'accepted', 'accepted']
  )
})

t.test('a chunk whose template cannot be asked for waits', async t => {
  const rig = await attemptRig(t)
  const claimed = await rig.claimed(phones(3))
  await fetch(`${rig.sandbox.url}/_sandbox/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ operation: 'wati.getMessageTemplates', fault: 'bad_gateway_html', times: 1 })
  })
  await rig.deliver(claimed)
  const rows = await rig.rows(claimed[0]!.broadcast_id!)
  t.strictSame(count(rows.map(({ state, attempts }) => `${state} ${attempts}`)), { 'queued 0': 3 })
  t.strictSame(rig.batches(), [])
})

t.test('results that the store will not take are kept and offered again', async t => {
  let refusals = 0
  let spoil = false
  const faulty = (store: Store): Store => ({
    ...store,
    write: unit => {
      if (!spoil || refusals >= 3) return store.write(unit)
      refusals++
      return Promise.reject(new StoreUnavailable('the disk is full'))
    }
  })
  const rig = await attemptRig(t, faulty)
  const claimed = await rig.claimed(phones(120))
  const { sandbox } = rig
  const record = sandbox.ledger.record
  // From the moment when the call has reached the provider.
  sandbox.ledger.record = entry => {
    if (entry.operation === 'wati.sendTemplateMessagesV2') spoil = true
    record(entry)
  }
  await rig.deliver(claimed)
  t.equal(refusals, 3, 'CONTROL: it was refused')
  t.strictSame(count((await rig.rows(claimed[0]!.broadcast_id!)).map(({ state }) => state)), { accepted: 120 })
  t.equal(rig.batches().length, 1)
  t.equal(rig.log.filter(line => line.includes('offered again')).length, 1, 'said once')
})

/** A store that refuses one message's result for good, for a defect. */
const poisoned =
  (poison: { id: string }) =>
  (store: Store): Store => ({
    ...store,
    write: unit =>
      store.write(function* () {
        const steps = unit()
        let step = steps.next()
        while (!step.done) {
          const settles = step.value.sql.startsWith('update "messages"') && step.value.parameters.includes('accepted')
          if (settles && step.value.parameters.includes(poison.id)) throw new Error('a defect')
          step = steps.next(yield step.value)
        }
        return step.value
      })
  })

t.test('one result that cannot be stored at all does not take the others with it', async t => {
  const poison = { id: '' }
  const rig = await attemptRig(t, poisoned(poison))
  const claimed = await rig.claimed(phones(8))
  poison.id = claimed[3]!.id
  await rig.deliver(claimed)
  const rows = await rig.rows(claimed[0]!.broadcast_id!)
  t.strictSame(count(rows.map(({ state }) => state)), { accepted: 7, sending: 1 })
  t.ok(rig.log.some(line => line.includes('its lease decides')))
})

for (const how of ['alone', 'together'] as const) {
  t.test(`a result that cannot be stored is not told as if it were, ${how}`, async t => {
    const poison = { id: '' }
    const rig = await attemptRig(t, poisoned(poison))
    const claimed = await rig.claimed(phones(1))
    poison.id = claimed[0]!.id
    t.match(await rig.deliver(claimed, how), [{ state: 'sending', attempts: 1 }])
    t.ok(rig.log.some(line => line.includes('its lease decides')))
    t.match(await rig.deliver(await rig.claimed(phones(1)), how), [{ state: 'accepted' }], 'CONTROL')
  })

  t.test(`a turn that has passed is as if nothing had been tried, ${how}`, async t => {
    const rig = await attemptRig(t)
    const claimed = await rig.claimed(phones(how === 'alone' ? 1 : 3))
    const done = await rig.deliver(claimed, how, true)
    t.ok(done.length > 0 && done.every(row => rig.executor.undone.has(row)))
    const rows = await rig.rows(claimed[0]!.broadcast_id!)
    t.strictSame(count(rows.map(({ state, attempts }) => `${state} ${attempts}`)), { 'queued 0': rows.length })
    t.strictSame(rig.sandbox.ledger.sends(), [])
    await rig.deliver(await rig.claimed(phones(1)), how)
    t.equal(rig.sandbox.ledger.sends().length, 1, 'CONTROL: in time it goes')
  })

  t.test(`who is refused goes on where there is another channel, ${how}`, async t => {
    const rig = await attemptRig(t)
    const [first, ...others] = await rig.claimed(how === 'alone' ? [bad] : [bad, ...phones(2)])
    const done = await rig.deliver([{ ...first!, options: '{"channels":["second"]}' }, ...others], how)
    t.match(done[0], { state: 'claimed', channel_id: 'second', attempts: 1 })
    t.ok(rig.executor.redirected.has(done[0]!), 'for whoever is given it to deliver')
    t.ok(done.slice(1).every(({ state }) => state === 'accepted'))
    t.match(await rig.rows(first!.broadcast_id!), [
      { channel_id: 'second' },
      ...others.map(() => ({ channel_id: 'wati' }))
    ])
    t.match(
      await rig.deliver(await rig.claimed([bad]), how),
      [{ state: 'failed' }],
      'CONTROL: without one it has failed'
    )
  })
}
