import t from 'tap'
import { startBoard, until } from '../../helper.ts'
import { image, media, sends, status, text } from './own-faults.ts'

// What takes as long as the pauses between our own tries.

t.test('a message that cannot be prepared is set aside at the third start, and the others pass it by', async t => {
  const board = await startBoard(t)
  media(board).obtain = async () => {
    throw new TypeError('a defect')
  }
  const poison = await board.call('POST', '/messages', { body: image('14155551234') })
  const sendAt = new Date(Date.now() + 200).toISOString()
  const other = await board.call('POST', '/messages', { body: { ...text('14155551235'), sendAt } })
  await until(
    () => status(board, other.body.id),
    row => row.body.status === 'accepted'
  )
  const { body } = await until(
    () => status(board, poison.body.id),
    row => row.body.status === 'failed'
  )
  t.match(body, { final: true, attempts: 0, error: { code: 'internal', outcome: 'not_sent' } })
  t.equal(sends(board, '14155551234').length, 0)
})
