import t from 'tap'
import { CreateTemplate } from '../../schemas/templates.ts'
import { type Board, cloudSettings, startBoard } from '../helper.ts'
import { hostile } from './hostile.ts'

const draft = { ...CreateTemplate.examples[0], channel: 'cloud' }
const last = (board: Board) => board.sandbox.ledger.entries.at(-1)!
const entries = (board: Board) => board.sandbox.ledger.entries.length
const key = (of: { name: string; language: string }) => `${of.name} ${of.language}`

interface Item {
  name: string
  language: string
  status: string
}
/** Every item of a list, page by page. */
async function walk(board: Board, query: string, from = ''): Promise<Item[]> {
  const items: Item[] = []
  for (let cursor: string | null = from; cursor !== null; ) {
    const page = await board.call('GET', `/templates?${query}${cursor && `&cursor=${cursor}`}`)
    if (page.status !== 200) throw new Error(page.text)
    items.push(...page.body.items)
    cursor = page.body.nextCursor
  }
  return items
}

t.test('a list is asked of the provider in its own words', async t => {
  const board = await startBoard(t)
  const query = 'channel=cloud&status=approved&category=utility&language=EN-us&name=order_update&limit=7'
  const { status, body } = await board.call('GET', `/templates?${query}`)
  t.equal(status, 200)
  t.equal(body.nextCursor, null)
  t.match(body.items, [
    {
      channel: 'cloud',
      name: 'order_update',
      language: 'en_US',
      category: 'utility',
      status: 'approved',
      parameterFormat: 'named',
      variables: [
        { name: 'name', in: 'body', example: 'Ada' },
        { name: 'ordernumber', in: 'body' }
      ]
    }
  ])
  t.match(last(board), {
    method: 'GET',
    path: `/whatsapp-business/v24.0/${cloudSettings.businessAccountId}/message_templates`,
    query: { status: 'APPROVED', category: 'UTILITY', language: 'en_US', name: 'order_update', limit: '7' }
  })
  await board.call('GET', '/templates?channel=wati&limit=7')
  t.match(last(board), { path: '/wati/api/v1/getMessageTemplates', query: { pageSize: '7', pageNumber: '1' } })
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('every item is reached exactly once, whatever the page and the filter', async t => {
  const board = await startBoard(t)
  for (const channel of ['cloud', 'wati']) {
    const all = (await walk(board, `channel=${channel}&limit=100`)).map(key)
    t.ok(all.length > 20, `${channel}: ${all.length}`)
    t.equal(new Set(all).size, all.length)
    for (const limit of [1, 3, 25]) {
      t.strictSame((await walk(board, `channel=${channel}&limit=${limit}`)).map(key), all, `${channel} by ${limit}`)
      for (const filter of ['status=approved', 'category=marketing', 'language=es', 'status=nowhere']) {
        const [name, value] = filter.split('=') as ['status', string]
        const some = await walk(board, `channel=${channel}&limit=${limit}&${filter}`)
        const wanted = (await walk(board, `channel=${channel}&limit=100`)).filter(item => item[name] === value)
        t.strictSame(some.map(key), wanted.map(key), `${channel} by ${limit}, ${filter}`)
      }
    }
  }
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('a page survives another limit, and a cursor of another list is refused', async t => {
  const board = await startBoard(t)
  for (const channel of ['cloud', 'wati']) {
    const all = await walk(board, `channel=${channel}&limit=100`)
    const first = await board.call('GET', `/templates?channel=${channel}&limit=5`)
    const next = await board.call('GET', `/templates?channel=${channel}&limit=3&cursor=${first.body.nextCursor}`)
    const rest = await walk(board, `channel=${channel}&limit=9`, next.body.nextCursor)
    t.strictSame([...first.body.items, ...next.body.items, ...rest].map(key), all.map(key), channel)
    const before = entries(board)
    for (const query of [`channel=${channel}&status=approved`, `channel=${channel === 'cloud' ? 'wati' : 'cloud'}`]) {
      const other = await board.call('GET', `/templates?${query}&cursor=${first.body.nextCursor}`)
      t.match(other, { status: 400, body: { errors: [{ path: 'query/cursor' }] } })
    }
    t.equal(entries(board), before, 'nothing went upstream')
  }
  const { text } = await board.call('GET', '/templates?channel=cloud&limit=2')
  t.notMatch(text, /graph\.facebook|access_token|EAAS/, 'nothing of paging.next is shown')
})

t.test('one name with all its languages, on both providers', async t => {
  const board = await startBoard(t)
  for (const channel of ['cloud', 'wati']) {
    const found = await board.call('GET', `/templates/order_update?channel=${channel}`)
    t.match(found, { status: 200, body: { name: 'order_update', items: [{ channel }, { channel }] } })
    t.strictSame(found.body.items.map((item: { language: string }) => item.language).sort(), ['de', 'en_US'])
    for (const { variables } of found.body.items)
      t.match(
        variables,
        [
          { name: 'name', in: 'body' },
          { name: 'ordernumber', in: 'body' }
        ],
        'variables are told'
      )
    t.match(await board.call('GET', `/templates/nowhere?channel=${channel}`), {
      status: 404,
      body: { code: 'not_found' }
    })
  }
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('rights: the channel, and the template of a write', async t => {
  const board = await startBoard(t)
  const scopes = ['templates:read', 'templates:write']
  const bound = await board.key({ scopes, channels: ['wati'] })
  t.equal((await board.call('GET', '/templates?channel=cloud', { key: bound })).status, 403)
  t.equal((await board.call('GET', '/templates', { key: bound })).status, 200, 'its only channel')
  const named = await board.key({ scopes, templates: ['other'] })
  const call = (method: string, path: string, body?: object) =>
    board.call(method, path, { key: named, ...(body && { body }) })
  t.equal((await call('POST', '/templates', draft)).status, 403)
  t.equal((await call('DELETE', '/templates/order_update?channel=cloud')).status, 403)
  const without = await board.call('GET', '/templates')
  t.match(without, { status: 400, body: { errors: [{ path: '/channel' }] } }, 'nothing says which channel')
  t.match(await board.call('GET', '/templates?channel=nowhere'), { status: 404 })
})

t.test('hostile names, filters and cursors are a 400 that names the field', async t => {
  const board = await startBoard(t)
  for (const text of hostile) {
    for (const method of ['GET', 'DELETE']) {
      const answer = await board.call(method, `/templates/${text}?channel=cloud`)
      t.match(answer, { status: 400, body: { code: 'invalid_request' } }, `${method} ${text.slice(0, 20)}`)
    }
    for (const field of ['channel', 'status', 'category', 'language', 'name', 'cursor', 'limit']) {
      const rest = field === 'channel' ? '' : '&channel=cloud'
      const answer = await board.call('GET', `/templates?${field}=${text}${rest}`)
      t.equal(answer.status, 400, `${field}=${text.slice(0, 20)}`)
      t.match(answer.body.errors[0].path, /^query/)
    }
    t.equal((await board.call('DELETE', `/templates/x?channel=cloud&language=${text}`)).status, 400)
  }
  t.equal(entries(board), 0, 'nothing went upstream')
})
