import { createRequire } from 'node:module'
import t from 'tap'
import { operator } from '../console.ts'
import { startBoard } from '../helper.ts'

// What a process has loaded is told by a process in which nobody opened the page before.

const { cache } = createRequire(import.meta.url)

t.test('nothing of the operator’s page is loaded before somebody opens it', async t => {
  const board = await startBoard(t)
  const loaded = () => Object.keys(cache).some(file => file.includes('@fastify/view'))
  await board.call('GET', '/channels')
  t.equal(loaded(), false)
  t.equal((await operator(board).get('/console')).status, 200)
  t.equal(loaded(), true, 'POSITIVE CONTROL: it is seen once it is there')
})
