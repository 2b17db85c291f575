import t from 'tap'
import { startBoard, until } from '../helper.ts'

// RETENTION_DAYS=0: what was said is nowhere to be read (docs/api.md 14). What is dropped later: test/conformance/store-retention.ts.

const body = {
  channel: 'cloud',
  to: '14155551234',
  type: 'text',
  text: { body: 'the secret of Ada' },
  reference: 'order-1'
}

for (const days of ['0', '30'])
  t.test(
    `with ${days} days of retention answers ${days === '0' ? 'leave the content out' : 'have it: CONTROL'}`,
    async t => {
      const board = await startBoard(t, { env: { RETENTION_DAYS: days } })
      const key = await board.key()
      const send = (headers: Record<string, string>, more = {}) =>
        board.call('POST', '/messages', { key, body: { ...body, ...more }, headers })
      const answers = [
        await send({ 'idempotency-key': 'k' }),
        await send({ prefer: 'respond-async' }),
        await send({}, { sendAt: new Date(Date.now() + 3600_000).toISOString() })
      ]
      t.strictSame(
        answers.map(answer => answer.status),
        [201, 202, 202]
      )
      const { id } = answers[0]!.body
      t.equal((await send({ 'idempotency-key': 'k' })).text, answers[0]!.text, 'a replay is the same to the last byte')
      answers.push(await board.call('GET', `/messages/${id}`, { key }), await board.call('GET', '/messages', { key }))
      for (const { text } of answers) t.equal(text.includes('the secret of Ada'), days === '30')
      t.match(answers[3]!.body, { id, type: 'text', reference: 'order-1', status: 'accepted' })
      await until(
        () => board.sandbox.ledger.sends().length,
        count => count === 2
      )
      t.equal(
        board.log.some(line => line.includes('the secret of Ada')),
        false
      )
    }
  )
