import { setImmediate as rest } from 'node:timers/promises'
import type { Mode } from '../../schemas/common.ts'
import { bodyMark } from '../messages/erased.ts'
import type { Store } from '../store/store.ts'
import { namingAny } from './naming.ts'

/** Bodies that are read in one statement. */
const atOnce = 100
const mostBytes = 128 * 1024

/** What may be an id: of the provider's, of ours, or one of ours behind a word that was planted with it. */
const idForm = /[\w.:+=/-]{8,}/g

/** Whether a body names a person, or a message to or from the person by one of its ids: a status of WATI's has the words, and no number. */
function tells(body: Uint8Array, names: (text: string) => boolean, ids: ReadonlySet<string>): boolean {
  const text = Buffer.from(body).toString().replaceAll('\\/', '/')
  if (names(text)) return true
  for (const [word] of text.matchAll(idForm))
    if (ids.has(word) || ids.has(word.slice(word.indexOf('.') + 1))) return true
  return false
}

/**
 * Empties every kept webhook body that tells of a person. What waits to be read stays, since it has had no effect yet. In
 * portions, between which others have their turn.
 * @returns whether one waits to be read that tells of the person: its effect is still to come, and would bring the person back
 */
export async function eraseBodies(
  store: Store,
  mode: Mode,
  people: readonly string[],
  ids: ReadonlySet<string>
): Promise<boolean> {
  const { build } = store
  const nothing = Buffer.from('{}')
  const names = namingAny(people)
  let waiting = false
  for (let after = ''; ; await rest()) {
    const page = await store.read(
      build
        .selectFrom('webhooks')
        .select(['id', 'size', 'state', 'channel_id', 'sha256'])
        .where('mode', '=', mode)
        .where('id', '>', after)
        .orderBy('id')
        .limit(atOnce)
        .compile()
    )
    let sum = 0
    const portion = page.filter(({ size }, i) => (sum += size) <= mostBytes || i === 0)
    const some = portion.map(({ id }) => id)
    const last = some.at(-1)
    if (last === undefined) return waiting
    after = last
    const bodies = await store.read(build.selectFrom('webhook_bodies').selectAll().where('id', 'in', some).compile())
    const told = new Set(bodies.filter(({ body }) => tells(body, names, ids)).map(({ id }) => id))
    const found = portion.filter(({ id, state }) => told.has(id) && state !== 'waiting')
    waiting ||= found.length < told.size
    if (found.length === 0) continue
    const marks = found.map(({ channel_id, sha256 }) => ({
      channel_id,
      mode,
      identity: bodyMark(sha256),
      at: store.clock()
    }))
    await store.write(function* () {
      const emptied = found.map(({ id }) => id)
      yield build.updateTable('webhook_bodies').set({ body: nothing }).where('id', 'in', emptied).compile()
      // Told again, it would bring the person back.
      yield build
        .insertInto('heard_events')
        .values(marks)
        .onConflict(conflict => conflict.doNothing())
        .compile()
    })
  }
}
