import t from 'tap'
import { adminKey, cloudSettings } from '../helper.ts'
import { reachable } from '../reachable.ts'
import { absent } from './programs.ts'
import { behind, installed, proxyNames } from './proxy.ts'

// The blocks of deploy/nginx and deploy/caddy, run where these are installed.

const authorization = `Bearer ${adminKey}`
const json = { authorization, 'content-type': 'application/json' }
const message = JSON.stringify({ channel: 'cloud', to: '14155551234', type: 'text', text: { body: 'x' } })

for (const name of proxyNames) {
  const skip = absent(installed[name], name)

  t.test(
    `${name}: webhooks come through byte for byte, nothing else does, and no log holds the token`,
    { skip },
    async t => {
      await reachable()
      const { board, ask, door, logs } = await behind(t, name)
      const status = async (path: string, body?: string): Promise<number> => {
        const answer = await ask('hooks.example.com', path, body === undefined ? {} : { method: 'POST', body })
        await answer.body.dump()
        return answer.statusCode
      }
      t.equal(await status(door, '{"entry":[]}'), 200)
      t.equal(await status(door, 'x'.repeat(4 * 1024 * 1024)), 200, '4 MiB')
      t.equal(await status(door, 'x'.repeat(4 * 1024 * 1024 + 1)), 413)
      t.equal(await status(`${door}x`, '{}'), 404)
      for (const at of ['/', '/messages', '/docs', '/readyz', '/metrics', '/webhooks/../readyz'])
        t.equal(await status(at), 404, at)
      t.match((await board.call('GET', '/metrics')).text, /outcome="kept"\} 2\n/)
      await board.close()
      t.equal(await status(door, '{}'), 502, 'nobody is there: the provider comes again')
      t.notMatch(logs(), door.split('/').at(-1)!)
    }
  )

  t.test(`${name}: below a path, Location leads back through the proxy`, { skip }, async t => {
    const { ask } = await behind(t, name)
    const made = await ask('tools.internal', '/switchboard/messages', { method: 'POST', headers: json, body: message })
    t.equal(made.statusCode, 201)
    const location = String(made.headers.location)
    t.match(location, /^\/switchboard\/messages\/msg_/)
    const { id } = (await made.body.json()) as { id: string }
    const read = await ask('tools.internal', location, { headers: { authorization } })
    t.match(await read.body.json(), { id })
    const outside = await ask('tools.internal', '/messages', { headers: { authorization } })
    await outside.body.dump()
    t.equal(outside.headers['x-request-id'], undefined, 'outside of the path nothing is ours')
  })

  t.test(`${name}: an event comes while its stream is open`, { skip, timeout: 60_000 }, async t => {
    const { board, ask } = await behind(t, name)
    const key = await board.key({ scopes: ['messages:send', 'events:read'] })
    const stream = await ask('switchboard.internal', '/events/stream', { headers: { authorization: `Bearer ${key}` } })
    t.equal(stream.statusCode, 200)
    await board.call('POST', '/messages', { key, body: JSON.parse(message) })
    let text = ''
    for await (const chunk of stream.body) if ((text += chunk).includes('"message.')) break
    t.match(text, /^data: /m)
  })

  t.test(`${name}: an SDK that takes a host alone meets the provider's own API`, { skip }, async t => {
    const { board, ask } = await behind(t, name)
    const key = await board.key({ scopes: ['native'] })
    const sent = await ask('graph-cloud.internal', `/v24.0/${cloudSettings.phoneNumberId}/messages`, {
      method: 'POST',
      headers: { ...json, authorization: `Bearer ${key}` },
      body: JSON.stringify({ messaging_product: 'whatsapp', to: '14155551234', type: 'text', text: { body: 'x' } })
    })
    t.equal(sent.statusCode, 200)
    t.match(await sent.body.json(), { messages: [{ id: /^wamid/ }] })
    const wrong = await ask('graph-cloud.internal', '/v24.0/me', { headers: { authorization: 'Bearer EAAB' } })
    t.equal(wrong.statusCode, 401, 'its token is a key of ours')
    await wrong.body.dump()
  })
}
