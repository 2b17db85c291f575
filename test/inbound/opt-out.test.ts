import fc from 'fast-check'
import t from 'tap'
import { folded, willOf } from '../../src/suppressions/words.ts'
import { type Board, cloudSettings, startBoard } from '../helper.ts'
import { offer } from '../offer.ts'
import { until } from '../until.ts'

// Who says stop, in WhatsApp or in words of one's own, is not messaged; who takes it back is (docs/suppressions.md).

const phone = '5215512345678'
const userId = 'MX.13491208655302741918'
const metadata = { display_phone_number: '+1 415-555-0199', phone_number_id: cloudSettings.phoneNumberId }
const optOut = [
  { words: ['stop', 'unsubscribe'], resumeWords: ['start'], category: 'all', confirm: 'You get no more messages.' },
  { words: ['Baja', 'no más ofertas'], resumeWords: ['alta'], category: 'marketing', confirm: 'No más ofertas.' }
]
const seconds = (at: number) => String(Math.floor(at / 1000))

async function hearing(t: Parameters<typeof startBoard>[0], settings: object = { optOut }) {
  const board = await startBoard(t)
  await board.call('PATCH', '/channels/cloud', { body: { settings: { ...cloudSettings, ...settings } } })
  const door = (await board.board.app.door.pathOf('cloud', 'live'))!
  const tell = (value: object, field = 'messages') => {
    const change = { field, value: { messaging_product: 'whatsapp', metadata, ...value } }
    const entry = [{ id: cloudSettings.businessAccountId, changes: [change] }]
    return board.call('POST', door, { key: '', body: JSON.stringify({ object: 'whatsapp_business_account', entry }) })
  }
  let count = 0
  /** What a person wrote; resolves when it has been read. */
  const write = async (message: object, at = Date.now()) => {
    const id = `wamid.${++count}`
    const messages = [{ id, from: phone, timestamp: seconds(at), ...message }]
    await tell({ contacts: [{ profile: { name: 'Ada' }, wa_id: phone }], messages })
    await until(
      async () => (await board.call('GET', `/messages?contact=${phone}&direction=inbound`)).body.items.length,
      items => items === count
    )
  }
  const words = (body: string, at?: number) => write({ type: 'text', text: { body } }, at)
  const prefer = (value: string, at: number, person: object = { wa_id: phone }) =>
    tell(
      {
        contacts: [{ profile: { name: 'Ada' }, wa_id: phone, user_id: userId }],
        user_preferences: [{ ...person, detail: value, category: 'marketing_messages', value, timestamp: at }]
      },
      'user_preferences'
    )
  const kept = async () => (await board.call('GET', '/suppressions')).body.items as Record<string, string>[]
  const keptAre = (count: number) => until(kept, items => items.length === count)
  return { board, tell, write, words, prefer, kept, keptAre }
}
const send = (board: Board, more: object = {}) =>
  board.call('POST', '/messages', {
    body: { channel: 'cloud', to: phone, type: 'text', text: { body: 'Hello' }, ...more }
  })
const confirmations = (board: Board) =>
  board.sandbox.ledger.sends().filter(({ body }) => JSON.stringify(body).match(/no more messages|No más/))

t.test('a stop word is the whole of a message; it is confirmed once, and START takes it back', async t => {
  const { board, words, kept } = await hearing(t)
  await words('Please stop by at ten, and unsubscribe me from nothing')
  t.strictSame(await kept(), [], 'CONTROL: a word in a sentence is none')
  t.match(await send(board), { status: 201 })
  await words(' ¡STÖP! ')
  t.match(await kept(), [{ to: phone, channel: 'cloud', category: 'all', source: 'word', reason: 'wrote: stop' }])
  t.match(await send(board), { status: 409, body: { code: 'recipient_suppressed' } })
  await until(
    async () => confirmations(board).length,
    sent => sent === 1
  )
  await words('stop')
  t.equal((await kept()).length, 1)
  await words('START')
  t.strictSame(await kept(), [])
  t.match(await send(board), { status: 201 })
  t.equal(confirmations(board).length, 1, 'confirmed once, and itself not refused')
  const confirmed = (await board.call('GET', `/messages?contact=${phone}&direction=outbound`)).body.items
  t.match(
    confirmed.find((each: { text: { body: string } }) => each.text.body.startsWith('You get')),
    { status: 'accepted' }
  )
  const { items } = (await board.call('GET', '/audit')).body
  t.match(
    items
      .filter(({ actor }: { actor: string }) => actor === 'recipient')
      .map(({ action }: { action: string }) => action),
    ['suppression.removed', 'suppression.added']
  )
  const { body } = await board.call('GET', '/events?type=suppression.added')
  t.match(body.items, [{ channel: 'cloud', data: { to: phone, source: 'word' } }])
})

t.test('a button says it too, by what it shows or by what it carries, in the language of its word', async t => {
  const { board, write, kept } = await hearing(t)
  await write({ type: 'button', button: { text: 'No gracias', payload: 'NO MAS OFERTAS' } })
  t.match(await kept(), [{ category: 'marketing', reason: 'wrote: no más ofertas' }])
  t.match(await send(board), { status: 201 }, 'CONTROL: marketing alone')
  await write({ type: 'interactive', interactive: { type: 'button_reply', button_reply: { id: 'x', title: 'Alta' } } })
  t.strictSame(await kept(), [])
  await until(
    async () => confirmations(board).length,
    sent => sent === 1
  )
  t.match(JSON.stringify(confirmations(board)[0]?.body), /No más ofertas/)
})

t.test('what WhatsApp tells of a person’s wish is kept, under every name, and the last word counts', async t => {
  const { board, prefer, kept, keptAre } = await hearing(t)
  const at = Math.floor(Date.now() / 1000) - 1000
  await prefer('stop', at)
  t.match(await keptAre(1), [{ to: phone, channel: 'cloud', category: 'marketing', source: 'whatsapp' }])
  t.match(await send(board), { status: 201 }, 'no marketing')
  for (const to of [phone, '525512345678', userId]) t.match(await send(board, { ...offer, to }), { status: 409 }, to)
  await prefer('resume', at - 10)
  await prefer('stop', at + 1, { wa_id: '5215512349999' })
  t.equal((await keptAre(2)).length, 2, 'an older resume that comes late lifts nothing')
  await prefer('resume', at + 20)
  t.match(await keptAre(1), [{ to: '5215512349999' }])
  t.match(await send(board, offer), { status: 201 })
  await board.call('POST', '/suppressions', { body: { to: phone, channel: 'cloud', category: 'marketing' } })
  await prefer('resume', at + 30)
  await prefer('resume', at + 40, { wa_id: '5215512349999' })
  await keptAre(1)
  t.match(await kept(), [{ to: phone, source: 'api' }], 'what a caller keeps, a caller lifts')
})

t.test('a channel without words, and a message of another mode, stop nothing; a faulty setting is told', async t => {
  const { board, words, kept } = await hearing(t, {})
  await words('stop')
  t.strictSame(await kept(), [])
  const patch = (setting: unknown) =>
    board.call('PATCH', '/channels/cloud', { body: { settings: { ...cloudSettings, optOut: setting } } })
  for (const wrong of [
    { words: [], category: 'all' },
    { words: ['stop'] },
    { words: ['stop'], category: 'some' },
    'stop'
  ])
    t.match(await patch(wrong), { status: 400 }, JSON.stringify(wrong))
  t.equal((await patch({ words: ['stop'], category: 'all' })).status, 200)
  t.match((await board.call('GET', '/channels/cloud')).body.settings, { optOut: { words: ['stop'] } })
})

t.test('words are compared without case, accents and the marks around them, and only whole', t => {
  for (const [written, word] of [
    ['BAJA', 'baja'],
    ['  báJa!! ', 'baja'],
    ['ARRÊT', 'arrêt'],
    ['arret.', 'ARRÊT'],
    ['ΣΤΟΠ', 'στοπ'],
    ['İPTAL', 'iptal'],
    ['ıptal', 'IPTAL'],
    ['Straße', 'STRASSE'],
    ['no  más\nofertas', 'No mas ofertas'],
    ['ｓｔｏｐ', 'stop'],
    ['\u200Estop\u200B', 'stop'],
    ['قِف', 'قف'],
    ['🛑', '🛑'],
    ['停止。', '停止']
  ])
    t.equal(folded(written!), folded(word!), `${written} is ${word}`)
  for (const [written, word] of [
    ['stop it', 'stop'],
    ['nonstop', 'stop'],
    ['sto p', 'stop'],
    ['', 'stop'],
    ['!', 'stop']
  ])
    t.not(folded(written!), folded(word!), `${written} is not ${word}`)
  fc.assert(fc.property(fc.string(), text => folded(folded(text)) === folded(text)))
  const setting = [{ words: ['stop'], category: 'all' as const }]
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.constantFrom('a', 'é', '7'), (before, letter) => {
      const body = `${before}${letter} stop`
      return willOf({ type: 'text', content: { body } }, setting) === undefined
    })
  )
  t.end()
})
