import pino from 'pino'
import { newId } from '../../src/ids.ts'
import { blockKey, blockKeysOf, blockQueries } from '../../src/messages/blocks.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { createRestoreHold, holdStamp } from '../../src/messages/restore-hold.ts'
import { unsuppressed } from '../../src/messages/suppressed.ts'
import type { MessageState } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { caller, changed, entry, failure, get, message, put } from './store-rows.ts'

const holdOf = (store: Store) => createRestoreHold({ store, log: pino({ level: 'silent' }), typeBase: '' })
const stamp = (store: Store, copiedAt = Date.now()) =>
  changed(store, blockQueries(store).stop({ ...holdStamp(copiedAt), at: copiedAt }))
const states = async (store: Store) =>
  (await store.read(store.build.selectFrom('messages').select(['state']).compile())).map(row => row.state)

/** What a restored store starts with (docs/reliability.md P33). */
export function holdCases(on: Case): void {
  on(
    'all that had not ended becomes unknown, the rest is left, and nothing can be dispatched',
    async (t, { store }) => {
      const open: MessageState[] = ['queued', 'claimed', 'sending']
      const ended: MessageState[] = ['accepted', 'failed', 'expired', 'canceled', 'unknown', 'received', 'read']
      const rows = new Map([...open, ...ended].map(state => [state, message({ state, attempts: 2, timeline: entry })]))
      for (const row of rows.values()) await put(store, row)
      const hold = holdOf(store)
      t.strictSame(await hold.view(), { held: false })
      await hold.begin(true)
      for (const [state, row] of rows) {
        const now = await get(store, row.id)
        if (!open.includes(state))
          t.strictSame({ ...now }, { ...row, template: null, lease_until: now.lease_until }, state)
        else {
          t.match(now, { state: 'unknown', final: 0, attempts: 2, lease_until: null }, state)
          t.match(JSON.parse(now.error!), { code: 'outcome_unknown', outcome: 'unknown' })
          t.match(now.timeline, /^.*"sending".*\n.*"unknown","attempt":2,"detail":"The store was restored.*\n$/)
        }
      }
      t.match(await hold.view(), { held: true, reason: 'after_restore', unknownMessages: 3, heldAt: /^20/ })

      const later = await put(store, message({ state: 'claimed' }))
      const dispatch = () =>
        changed(
          store,
          messageQueries(store).dispatch({
            id: later.id,
            attempts: 0,
            next: 1,
            lease_ms: 1,
            entry,
            ...blockKeysOf(later),
            ...unsuppressed
          })
        )
      t.equal(await dispatch(), 0)
      t.match(await hold.release(caller()), { held: false })
      t.equal(await dispatch(), 1, 'CONTROL: it is the hold that kept it')
      t.match(await failure(hold.release(caller())), { code: 'conflict' })
      const audited = await store.read(store.build.selectFrom('audit').selectAll().compile())
      t.match(audited, [{ action: 'hold.released', target: 'hold', actor: 'key_1', detail: /"turned":3/ }])
    }
  )

  on('a stamped copy holds without a setting, once, and stays held over starts', async (t, { store }) => {
    const copiedAt = Date.now() - 1000
    const before = await put(store, message())
    await stamp(store, copiedAt)
    await holdOf(store).begin(false)
    t.equal((await get(store, before.id)).state, 'unknown')
    const later = await put(store, message())
    await holdOf(store).begin(false)
    t.equal((await get(store, later.id)).state, 'queued', 'accepted in this life: it was never sent')
    t.match(await holdOf(store).view(), {
      reason: 'restored_backup',
      unknownMessages: 1,
      copiedAt: new Date(copiedAt).toISOString()
    })
    await holdOf(store).begin(true)
    t.equal(
      (await get(store, later.id)).state,
      'unknown',
      'told anew that it is a copy: of another life, for all we know'
    )
  })

  on('thousands are turned, by two starts at once and after one that died half way', async (t, { store, replica }) => {
    for (let i = 0; i < 1300; i += 650)
      await changed(
        store,
        store.build.insertInto('messages').values(
          Array.from({ length: 650 }, (_, n) =>
            message({
              id: newId('msg'),
              state: n % 2 ? 'queued' : 'claimed',
              attempts: n % 3,
              lease_until: Date.now() + n
            })
          )
        )
      )
    await stamp(store)
    const dying = {
      ...store,
      write: (unit => (--left < 0 ? Promise.reject(new Error('died')) : store.write(unit))) as Store['write']
    }
    let left = 2
    await t.rejects(holdOf(dying).begin(false))
    const some = (await states(store)).filter(state => state === 'unknown').length
    t.ok(some > 0 && some < 1300, `${some} of them`)
    t.match(await failure(holdOf(store).release(caller())), { code: 'conflict' }, 'it cannot be released half way')
    await Promise.all([holdOf(store).begin(false), holdOf(replica ? await replica() : store).begin(false)])
    t.strictSame([...new Set(await states(store))], ['unknown'])
    t.equal((await holdOf(store).view()).unknownMessages, 1300)
  })

  on('running broadcasts are paused, and stay so when the hold is released', async (t, { store }) => {
    const { build } = store
    const row = {
      service: 'billing',
      key_id: 'key_1',
      mode: 'live',
      channel_id: 'c',
      name: 'n',
      template: '{}'
    } as const
    const counts = { total: 1, duplicates: 0, skipped: 0, suppressed: 0, sending_window: null }
    const times = { rate_per_second: null, start_at: null, created_at: 1, started_at: null, finished_at: null }
    const all = ['draft', 'scheduled', 'running', 'paused', 'finished', 'canceled'] as const
    for (const status of all)
      await changed(store, build.insertInto('broadcasts').values({ id: status, status, ...row, ...counts, ...times }))
    const hold = holdOf(store)
    await hold.begin(true)
    await hold.release(caller())
    const now = await store.read(build.selectFrom('broadcasts').select(['id', 'status']).orderBy('id').compile())
    t.strictSame(now.map(({ id, status }) => (id === status ? '' : `${id} → ${status}`)).filter(Boolean), [
      'running → paused',
      'scheduled → paused'
    ])
    const blocks = await store.read(blockQueries(store).all({}))
    t.strictSame(blocks.map(({ key }) => key).sort(), [blockKey.broadcast('running'), blockKey.broadcast('scheduled')])
  })
}
