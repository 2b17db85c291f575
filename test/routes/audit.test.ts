import t from 'tap'
import { startBoard } from '../helper.ts'

t.test('every change of a key or channel is told: who, what and when, without a secret', async t => {
  const board = await startBoard(t)
  const made = await board.call('POST', '/keys', {
    body: { service: 'billing', mode: 'live', scopes: ['messages:send'] }
  })
  const { id, secret } = made.body
  await board.call('PATCH', `/keys/${id}`, { body: { scopes: ['messages:read'] } })
  await board.call('DELETE', `/keys/${id}`)
  const log = await board.call('GET', `/audit?target=${id}`)
  t.same(
    log.body.items.map((item: { action: string; actor: string }) => [item.action, item.actor]),
    [
      ['key.revoked', 'key_admin'],
      ['key.changed', 'key_admin'],
      ['key.created', 'key_admin']
    ]
  )
  t.notMatch(log.text, secret)
  const page = await board.call('GET', '/audit?limit=2')
  t.equal(page.body.items.length, 2)
  const next = await board.call('GET', `/audit?limit=2&cursor=${page.body.nextCursor}`)
  t.ok(next.body.items[0].id < page.body.items[1].id, 'the next page goes on where the first ended')
  t.equal((await board.call('GET', '/audit', { key: await board.key() })).status, 403)
})
