import type { Page } from 'playwright-core'
import type { Test } from 'tap'
import { order } from './broadcasts/order.ts'
import { adminKey, type Board, startBoard } from './helper.ts'

// What the browser's tests of the operator's page look at: a board on which something has happened, and each view of it.

const corpus = `"><img src=x onerror="window.ran=1"><script>window.ran=1</script>{{7*7}}<%= 7*7 %>' hx-on:load='window.ran=1`
const unreadable = '15550100017'
export interface Seed {
  board: Board
  ids: {
    subscription: string
    message: string
    unknown: string
    failed: string
    broadcast: string
    key: string
    connection: string
  }
}

const text = (to: string, more: Record<string, unknown> = {}) => ({
  ...{ channel: 'cloud', to, type: 'text', text: { body: `Hello ${corpus}` }, reference: corpus.slice(0, 120) },
  metadata: { note: corpus },
  ...more
})

/** A board on which something has happened, with the corpus wherever somebody else's text can stand. */
export async function seeded(t: Test): Promise<Seed> {
  const board = await startBoard(t)
  const send = async (body: unknown) => (await board.call('POST', '/messages', { body })).body
  const message = (await send(text('14155550001'))).id
  const unknown = (await send(text(unreadable))).id
  for (const to of ['15550100005', '15550100003', '15550100004']) await send(text(to))
  const { body: failures } = await board.call('GET', '/messages?status=failed')
  await board.call('POST', '/channels/wati/pause')
  await send(text('14155550002', { channel: 'wati' }))
  const body = order(3, { channel: 'wati', name: `May ${corpus}`.slice(0, 200) })
  const made = await board.call('POST', '/broadcasts', { body })
  const slow = order(40, { name: 'June', ratePerSecond: 1 })
  const broadcast = (await board.call('POST', '/broadcasts', { body: slow })).body.id ?? made.body.id
  const key = (
    await board.call('POST', '/keys', {
      body: { service: 'billing', name: corpus.slice(0, 100), mode: 'live', scopes: ['messages:send'] }
    })
  ).body.id
  const connection = (await board.call('POST', '/connections', { body: { provider: 'wati' } })).body.id
  const events = ['message.accepted', 'message.failed']
  const hook = { url: `https://hooks.example.com/${encodeURIComponent(corpus)}`.slice(0, 500), events }
  const subscription = (await board.call('POST', '/subscriptions', { body: hook })).body.id
  const identity = { service: 'shop', mode: 'live', issuer: 'https://issuer.example', audience: 'switchboard' }
  const claims = { sub: 'system:serviceaccount:shop:checkout' }
  await board.call('POST', '/identities', { body: { ...identity, claims, scopes: ['messages:send'] } })
  return {
    board,
    ids: { subscription, message, unknown, failed: failures.items[0]?.id ?? message, broadcast, key, connection }
  }
}

/** Signs in by the form. */
export async function signIn(page: Page, origin: string, key = adminKey): Promise<void> {
  await page.goto(`${origin}/console/sign-in`)
  await page.fill('#key', key)
  await Promise.all([page.waitForURL(`${origin}/console`), page.press('#key', 'Enter')])
}

/** Every view of the page, by a name for it, under /console. */
export const pathsOf = ({ ids }: Seed): Record<string, string> => ({
  overview: '',
  backlog: '/backlog',
  messages: '/messages',
  message: `/messages/${ids.message}`,
  'message-unknown': `/messages/${ids.unknown}`,
  'message-failed': `/messages/${ids.failed}`,
  unknown: '/unknown',
  'unknown-resolve': '/unknown/resolve?channel=cloud',
  'message-resolve': `/messages/${ids.unknown}/resolve`,
  broadcasts: '/broadcasts',
  broadcast: `/broadcasts/${ids.broadcast}`,
  'broadcast-new': '/broadcasts/new',
  'broadcast-cancel': `/broadcasts/${ids.broadcast}/cancel`,
  channels: '/channels',
  channel: '/channels/cloud',
  'channel-pause': '/channels/cloud/pause',
  connection: `/connections/${ids.connection}`,
  templates: '/templates?channel=cloud',
  template: '/templates/order_update?channel=cloud',
  subscriptions: '/subscriptions',
  subscription: `/subscriptions/${ids.subscription}`,
  'subscription-replay': `/subscriptions/${ids.subscription}/replay`,
  identities: '/identities',
  keys: '/keys',
  key: `/keys/${ids.key}`,
  'key-new': '/keys/new',
  'key-rotate': `/keys/${ids.key}/rotate`,
  audit: '/audit',
  usage: '/usage',
  'usage-services': '/usage?by=service',
  test: '/test',
  missing: '/nothing'
})
