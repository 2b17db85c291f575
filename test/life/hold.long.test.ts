import { copyFileSync, cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { startSandbox } from '../../src/sandbox/index.ts'
import { matonKey, until } from '../helper.ts'
import { backup, place, type Running, run, text } from './run.ts'

// A restored store sends nothing twice (docs/reliability.md P33): a copy taken while messages wait, then the original goes on.

const waiting = ['14155550001', '14155550002', '14155550003']
const later = (ms: number) => ({ sendAt: new Date(Date.now() + ms).toISOString() })
const state = async (board: Running, id: string) => (await board.call('GET', `/messages/${id}`)).body

/** An original that sent what a copy of it, made before, still has to send. */
async function restored(t: Test) {
  const sandbox = await startSandbox({ apiKey: matonKey })
  t.teardown(() => sandbox.close())
  const directory = place(t)
  const original = await run(t, { directory, matonUrl: sandbox.url })
  const ids: string[] = []
  for (const to of waiting) ids.push((await original.call('POST', '/messages', text(to, later(3600_000)))).body.id)
  const ended = (await original.call('POST', '/messages', text('14155550009'))).body.id as string
  const data = join(directory, 'restored')
  mkdirSync(data)
  const copied = await backup({ DATA_DIR: directory }, join(data, 'switchboard.db'))
  t.equal(copied.code, 0, copied.said)
  copyFileSync(join(directory, 'key-pepper'), join(data, 'key-pepper'))
  t.equal(sandbox.ledger.sends().length, 1, 'the copy was made before they went out')
  // Their time has come, however long the copy took.
  for (const file of [join(directory, 'switchboard.db'), join(data, 'switchboard.db')]) {
    const db = new DatabaseSync(file)
    db.exec(`update messages set run_at = 1, send_at = 1 where state = 'queued'`)
    db.close()
  }
  await until(
    () => sandbox.ledger.sends().length,
    count => count === 4
  )
  // As a volume snapshot of the stopped moment would be: with nothing that says what it is.
  await original.end('SIGKILL')
  const sends = (to: string) => sandbox.ledger.sends().filter(each => each.to === to).length
  return { sandbox, directory, data, ids, ended, sends }
}

t.test('a copy starts held, tells what became unknown, and sends nothing before it is released, nor then', async t => {
  const { sandbox, directory, data, ids, ended, sends } = await restored(t)
  const board = await run(t, { directory, data, matonUrl: sandbox.url })
  t.match(board.output(), /HELD AFTER A RESTORE/)
  t.match(await board.call('GET', '/readyz'), {
    status: 200,
    body: { status: 'degraded', reason: /held after a restore/ }
  })
  t.match(await board.call('GET', '/admin/hold'), {
    status: 200,
    body: { held: true, reason: 'restored_backup', unknownMessages: 3, heldAt: /^20/, copiedAt: /^20/ }
  })
  for (const id of ids)
    t.match(await state(board, id), { status: 'unknown', final: false, error: { code: 'outcome_unknown' } })
  t.match(await state(board, ended), { status: 'accepted' })

  const fresh = await board.call('POST', '/messages', text('14155550010'), { prefer: 'wait=1' })
  t.match(fresh, { status: 202, body: { status: 'queued' } }, 'accepting goes on')
  const early = await board.call('POST', '/messages', text('14155550011', later(50)))
  t.match(early, { status: 202 })
  t.equal(await board.end(), 0)

  const again = await run(t, { directory, data, matonUrl: sandbox.url })
  t.match(
    (await again.call('GET', '/admin/hold')).body,
    { held: true, unknownMessages: 3 },
    'a start does not release it'
  )
  t.match(await state(again, fresh.body.id), { status: 'queued' }, 'and what this life accepted is not made unknown')
  t.equal(sandbox.ledger.sends().length, 4, 'nothing went out')

  t.match(await again.call('POST', '/admin/hold/release'), { status: 200, body: { held: false } })
  t.match(await again.call('POST', '/admin/hold/release'), { status: 409, body: { code: 'conflict' } })
  for (const id of [fresh.body.id, early.body.id])
    await until(
      () => state(again, id),
      ({ status }) => status === 'accepted'
    )
  for (const id of ids) t.match(await state(again, id), { status: 'unknown', final: false })
  t.strictSame(waiting.map(sends), [1, 1, 1], 'each once in all')
  t.match((await again.call('GET', '/readyz')).body, { status: 'ok' })
  t.match((await again.call('GET', '/audit?target=hold')).body.items, [
    { action: 'hold.released', detail: { turned: 3 } }
  ])
})

t.test('a plain copy is held when AFTER_RESTORE says what it is; CONTROL: else it sends everything again', async t => {
  const { sandbox, directory, data, ids, sends } = await restored(t)
  // Any copy: without the stamp.
  const db = new DatabaseSync(join(data, 'switchboard.db'))
  db.exec("delete from blocks where key = 'hold'")
  db.close()
  const control = join(directory, 'control')
  cpSync(data, control, { recursive: true })

  const told = await run(t, { directory, data, matonUrl: sandbox.url, env: { AFTER_RESTORE: '1' } })
  t.match(told.output(), /take AFTER_RESTORE out/)
  t.match((await told.call('GET', '/admin/hold')).body, { held: true, reason: 'after_restore', unknownMessages: 3 })
  for (const id of ids) t.match(await state(told, id), { status: 'unknown' })
  await told.call('POST', '/admin/hold/release')
  const fresh = await told.call('POST', '/messages', text('14155550012'))
  t.match(fresh, { status: 201 }, 'and goes on when it is released')
  await told.end()
  t.strictSame(waiting.map(sends), [1, 1, 1])

  await run(t, { directory, data: control, matonUrl: sandbox.url })
  await until(
    () => waiting.map(sends),
    counts => counts.every(count => count === 2)
  )
  t.pass('CONTROL: everybody was messaged twice')
})
