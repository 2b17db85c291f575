import t from 'tap'
import { type Board, cloudSettings, startBoard } from '../helper.ts'
import { hostile } from './hostile.ts'

const root = '/whatsapp-business/v24.0'
const { phoneNumberId, businessAccountId } = cloudSettings
const last = (board: Board) => board.sandbox.ledger.entries.at(-1)!
const entries = (board: Board) => board.sandbox.ledger.entries.length

t.test('the numbers of the account, all pages once', async t => {
  const board = await startBoard(t)
  const all = await board.call('GET', '/channels/cloud/phone-numbers')
  t.equal(all.status, 200)
  t.match(last(board), { method: 'GET', path: `${root}/${businessAccountId}/phone_numbers`, query: { limit: '25' } })
  t.equal(all.body.nextCursor, null)
  const items = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = await board.call('GET', `/channels/cloud/phone-numbers?limit=1${cursor && `&cursor=${cursor}`}`)
    t.equal(page.body.items.length, 1)
    t.notMatch(page.text, /graph\.facebook|access_token|EAAS/, 'nothing of paging.next is shown')
    items.push(...page.body.items)
    cursor = page.body.nextCursor
  }
  t.ok(items.length > 2)
  t.strictSame(items, all.body.items)
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('the number that the channel sends from', async t => {
  const board = await startBoard(t)
  const { status, body } = await board.call('GET', '/channels/cloud/phone-number')
  t.equal(status, 200)
  t.strictSame(body, {
    id: phoneNumberId,
    phone: '15550783881',
    displayPhoneNumber: '+1 555-078-3881',
    verifiedName: 'Switchboard Demo',
    qualityRating: 'green',
    status: 'connected',
    nameStatus: 'approved',
    codeVerificationStatus: 'verified',
    platformType: 'cloud_api',
    throughput: 'standard'
  })
  t.match(last(board), {
    method: 'GET',
    path: `${root}/${phoneNumberId}`,
    query: { fields: /^id,display_phone_number/ }
  })
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('the profile is read and changed in our words', async t => {
  const board = await startBoard(t)
  const path = `${root}/${phoneNumberId}/whatsapp_business_profile`
  const before = await board.call('GET', '/channels/cloud/profile')
  t.match(before, {
    status: 200,
    body: { vertical: 'retail', email: 'hello@example.com', profilePictureUrl: /^https/ }
  })
  t.match(last(board), { method: 'GET', path, query: { fields: /^about,.*vertical$/ } })
  const change = { about: 'Gone fishing', address: '', vertical: 'prof_services', websites: ['https://a.example/'] }
  const changed = await board.call('PATCH', '/channels/cloud/profile', { body: change })
  t.equal(changed.status, 200)
  t.match(last(board), { method: 'POST', path })
  t.strictSame(last(board).body, { messaging_product: 'whatsapp', ...change, vertical: 'PROF_SERVICES' })
  const { address: _, ...rest } = { ...before.body, ...change }
  t.strictSame(changed.body, rest)
  t.strictSame((await board.call('GET', '/channels/cloud/profile')).body, changed.body, 'the provider says the same')
  const picture = { profilePictureHandle: '4::cGljdHVyZQ==' }
  t.equal((await board.call('PATCH', '/channels/cloud/profile', { body: picture })).status, 200)
  t.match(last(board).body, { profile_picture_handle: picture.profilePictureHandle })
  await board.call('POST', '/channels', {
    body: {
      id: 'other',
      provider: 'whatsapp-cloud',
      connectionId: 'c',
      settings: { ...cloudSettings, phoneNumberId: '106540352242923' }
    }
  })
  t.strictSame((await board.call('GET', '/channels/other/profile')).body, {}, 'what was never set is absent')
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('a change that is wrong is a 400, and one that fails is not told as made', async t => {
  const board = await startBoard(t)
  const patch = (body: object) => board.call('PATCH', '/channels/cloud/profile', { body })
  for (const [body, path] of [
    [{}, '/'],
    [{ vertical: 'RETAIL' }, '/vertical'],
    [{ about: '' }, '/about'],
    [{ about: 'x'.repeat(140) }, '/about'],
    [{ email: 'nobody' }, '/email'],
    [{ websites: ['ftp://x'] }, '/websites/0'],
    [{ websites: ['https://a', 'https://b', 'https://c'] }, '/websites'],
    [{ profilePictureUrl: 'https://a.example/x.jpg' }, '/profilePictureUrl']
  ] as const)
    t.match(await patch(body), { status: 400, body: { errors: [{ path }] } }, path)
  t.equal(entries(board), 0)
  board.sandbox.force({ operation: 'cloud.updateProfile', fault: 'reset_after' })
  t.match(await patch({ about: 'x' }), { status: 504, body: { code: 'outcome_unknown', outcome: 'unknown' } })
  board.sandbox.force({ operation: 'cloud.getProfile', fault: 'error_500' })
  const calls = entries(board)
  t.match(await patch({ about: 'x' }), { status: 503, body: { code: 'provider_unavailable', outcome: 'not_sent' } })
  t.equal(entries(board), calls + 1, 'what could not be read is not changed')
  board.sandbox.force({ operation: 'cloud.getPhoneNumber', fault: 'credential_expired' })
  t.match(await board.call('GET', '/channels/cloud/phone-number'), { status: 502, body: { code: 'channel_rejected' } })
})

t.test('WATI has none of it: told before any upstream byte, with who can', async t => {
  const board = await startBoard(t)
  for (const [method, path, body] of [
    ['GET', 'phone-numbers'],
    ['GET', 'phone-number'],
    ['GET', 'profile'],
    ['PATCH', 'profile', { about: 'x' }]
  ] as const) {
    const answer = await board.call(method, `/channels/wati/${path}`, body ? { body } : {})
    t.match(answer, { status: 422, body: { code: 'unsupported', detail: /wati.*A channel of whatsapp-cloud can/ } })
  }
  t.equal(entries(board), 0)
})

t.test('rights, unknown channels and hostile identifiers', async t => {
  const board = await startBoard(t)
  const key = await board.key({ scopes: ['channels:read', 'channels:write'], channels: ['wati'] })
  for (const path of ['phone-numbers', 'phone-number', 'profile']) {
    t.equal((await board.call('GET', `/channels/cloud/${path}`, { key })).status, 403)
    t.equal((await board.call('GET', `/channels/nowhere/${path}`)).status, 404)
    for (const text of hostile)
      t.match(
        await board.call('GET', `/channels/${text}/${path}`),
        { status: 400, body: { code: 'invalid_request' } },
        `${path} ${text.slice(0, 20)}`
      )
  }
  for (const text of hostile)
    for (const field of ['cursor', 'limit', 'after']) {
      const answer = await board.call('GET', `/channels/cloud/phone-numbers?${field}=${text}`)
      t.match(answer, { status: 400, body: { errors: [{ path: /^query/ }] } }, `${field} ${text.slice(0, 20)}`)
    }
  const templates = await board.call('GET', '/templates?channel=cloud&limit=1')
  const other = await board.call('GET', `/channels/cloud/phone-numbers?cursor=${templates.body.nextCursor}`)
  t.match(other, { status: 400, body: { errors: [{ path: 'query/cursor' }] } }, 'a cursor of another list')
})
