import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { request } from 'undici'
import { startSandbox } from '../../../src/sandbox/index.ts'
import { type Board, matonKey, startBoard } from '../../helper.ts'

// What stands in WATI's history and is none of ours: equal words through another number of the account, and an operator's.

const to = '14155550098'
const [own, foreign] = ['85264318722', '85264318723']
const message = (body: string) => ({ channel: 'hk', to, type: 'text', text: { body } })
const reconcile = async (board: Board, id: string) => (await board.call('POST', `/messages/${id}/reconcile`)).body

/** A board behind a gateway that can say that somebody in WATI's inbox wrote what stands in the history. */
async function inboxBoard(t: Parameters<typeof startBoard>[0]) {
  const sandbox = await startSandbox({ apiKey: matonKey })
  const inbox: { operatorName: string | null } = { operatorName: null }
  const gateway = createServer(async (asked, answer) => {
    const { connection: _, host: __, 'content-length': ___, 'transfer-encoding': ____, ...headers } = asked.headers
    const body = asked.method === 'GET' ? null : Buffer.concat(await asked.toArray())
    const got = await request(sandbox.url + asked.url, { method: asked.method as 'GET', headers, body }).catch(
      () => null
    )
    if (!got) return asked.socket.destroy()
    const text = (await got.body.text()).replaceAll(
      '"operatorName":null',
      `"operatorName":${JSON.stringify(inbox.operatorName)}`
    )
    answer.writeHead(got.statusCode, { 'content-type': got.headers['content-type'] as string }).end(text)
  })
  await new Promise<void>(resolve => gateway.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise(resolve => gateway.close(resolve)))
  const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
  t.teardown(() => sandbox.close())
  const board = await startBoard(t, { sandbox, env: { MATON_BASE_URL: url } })
  await board.call('POST', '/channels', {
    body: { id: 'hk', provider: 'wati', connectionId: 'wati-connection', settings: { channelPhoneNumber: own } }
  })
  /** Said past Switchboard, through one of the account's numbers. */
  const saidThrough = (through: string, words: string) =>
    board.call('POST', `/channels/hk/native/api/v1/sendSessionMessage/${to}?channelPhoneNumber=${through}`, {
      body: new URLSearchParams({ messageText: words }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' }
    })
  /** Sent, and lost before the provider had it. */
  const lose = async (words: string): Promise<string> => {
    sandbox.force({ recipient: to, fault: 'reset_before', times: 1 })
    const { body } = await board.call('POST', '/messages', { body: message(words) })
    if (body.status !== 'unknown') throw new Error(JSON.stringify(body))
    return body.id
  }
  return { board, inbox, saidThrough, lose }
}

t.test('equal words through another number of the account prove nothing', async t => {
  const { board, saidThrough, lose } = await inboxBoard(t)
  const id = await lose('Where are you?')
  t.equal((await saidThrough(foreign, 'Where are you?')).status, 200)
  t.match(await reconcile(board, id), { status: 'unknown' })
  const history = await board.call('GET', `/contacts/${to}/messages?channel=hk`)
  t.strictSame(history.body.items, [], 'another number’s conversation is another')
  t.equal((await saidThrough(own, 'Where are you?')).status, 200)
  t.match(await reconcile(board, id), { status: 'accepted' }, 'CONTROL: through its own it is found')
})

t.test('equal words of an operator prove nothing', async t => {
  const { board, inbox, saidThrough, lose } = await inboxBoard(t)
  const id = await lose('I am on my way')
  t.equal((await saidThrough(own, 'I am on my way')).status, 200)
  inbox.operatorName = 'Sam Agent'
  t.match(await reconcile(board, id), { status: 'unknown' })
  const { body } = await board.call('GET', `/contacts/${to}/messages?channel=hk`)
  t.match(body.items, [{ origin: 'operator', operator: { name: 'Sam Agent' } }], 'and is told as what it is')
  inbox.operatorName = null
  t.match(await reconcile(board, id), { status: 'accepted' }, 'CONTROL: of nobody it is found')
})
