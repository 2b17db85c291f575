import { EventEmitter } from 'node:events'
import t from 'tap'
import { collectAll, giveBackMemory } from '../../src/start/spare-memory.ts'

/** A server, and the looks that have been asked for. */
function served() {
  const server = new EventEmitter()
  const looks: (() => void)[] = []
  const collected: true[] = []
  giveBackMemory(
    server,
    () => collected.push(true),
    next => looks.push(next)
  )
  return { server, collected, waiting: looks, look: () => looks.shift()!() }
}

t.test('memory is given back once, when nobody has called between two looks', t => {
  const { server, collected, waiting, look } = served()
  look()
  server.emit('request')
  look()
  server.emit('request')
  look()
  t.equal(collected.length, 0, 'not while somebody calls')
  look()
  t.equal(collected.length, 1)
  t.equal(waiting.length, 0)
  t.equal(server.listenerCount('request'), 0)
  t.end()
})

t.test('a server that is never quiet is left alone', t => {
  const { server, collected, waiting, look } = served()
  let looks = 0
  for (; waiting.length > 0 && looks < 1000; looks++) {
    server.emit('request')
    look()
  }
  t.ok(looks < 1000, `${looks} looks`)
  t.equal(collected.length, 0)
  t.equal(server.listenerCount('request'), 0)
  t.end()
})

t.test('a collection takes what nobody holds', async t => {
  const held = { value: 1 }
  const refs = [new WeakRef(held), new WeakRef({ value: 2 })]
  // What a WeakRef was made for or asked for is kept until the end of the task.
  await new Promise(resolve => setImmediate(resolve))
  collectAll()
  t.strictSame(
    refs.map(ref => ref.deref()?.value),
    [held.value, undefined]
  )
})
