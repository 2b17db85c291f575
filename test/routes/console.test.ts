import t from 'tap'
import { operator } from '../console.ts'
import { adminKey, startBoard } from '../helper.ts'

// The operator's page as a server: who gets in, what a form needs, and that what comes from outside is text.

t.test('nobody sees a view without signing in; a right key gets a cookie that hides it', async t => {
  const board = await startBoard(t)
  const one = operator(board)
  const first = await one.get('/console/backlog?service=shop')
  t.equal(first.status, 200)
  t.match(first.text, 'value="/console/backlog?service=shop"', 'and goes on where it was asked for')
  t.notMatch(first.text, 'waiting')
  const wrong = await one.post('/console/sign-in', { key: 'sk_live_no' })
  t.equal(wrong.status, 401)
  t.equal(one.cookie(), '')
  const { status, headers } = await one.post('/console/sign-in', {
    key: adminKey,
    next: '/console/backlog?service=shop'
  })
  t.equal(status, 303)
  t.equal(headers.location, '/console/backlog?service=shop')
  const cookie = String(headers['set-cookie'])
  t.match(cookie, /^switchboard=\S+; Path=\/; HttpOnly; SameSite=Strict$/)
  t.notMatch(cookie, adminKey)
  t.notMatch(Buffer.from(cookie.split(/[=;]/)[1]!, 'base64').toString('latin1'), adminKey)
  const page = await one.get('/console')
  t.equal(page.status, 200)
  t.match(page.text, /Providers[\s\S]*cloud[\s\S]*wati/)
  t.match(String(page.headers['content-security-policy']), "default-src 'none'; script-src 'self'; style-src 'self'")
  t.equal(page.headers['cache-control'], 'no-store')
})
