import { Readable } from 'node:stream'
import t from 'tap'
import { adminKey } from '../helper.ts'
import { absent } from './programs.ts'
import { behind, installed, proxyNames } from './proxy.ts'

// What takes long or weighs much, through the blocks of deploy/nginx and deploy/caddy.

const authorization = `Bearer ${adminKey}`
const mega = 1024 * 1024

/** A form with a document of so many bytes, piece by piece. */
async function* form(bytes: number, boundary: string): AsyncGenerator<Buffer> {
  const part = (head: string) => Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`)
  yield part('name="channel"')
  yield Buffer.from('cloud\r\n')
  yield part('name="file"; filename="a.txt"\r\nContent-Type: text/plain')
  for (let left = bytes; left > 0; left -= mega) yield Buffer.alloc(Math.min(left, mega), 'a')
  yield Buffer.from(`\r\n--${boundary}--\r\n`)
}

for (const name of proxyNames) {
  const skip = absent(installed[name], name)

  t.test(`${name}: a file of 100 MB goes up, and one of 120 does not`, { skip, timeout: 300_000 }, async t => {
    const { ask } = await behind(t, name)
    const upload = async (size: number): Promise<number> => {
      const boundary = 'x-boundary-x'
      const answer = await ask('switchboard.internal', '/media', {
        method: 'POST',
        headers: { authorization, 'content-type': `multipart/form-data; boundary=${boundary}` },
        body: Readable.from(form(size, boundary))
      })
      await answer.body.dump()
      return answer.statusCode
    }
    t.equal(await upload(100 * mega), 201)
    // A proxy may close the connection in the middle of a body that is too large.
    t.equal(await upload(120 * mega).catch(() => 413), 413)
  })

  t.test(`${name}: Prefer: wait=50 is waited for`, { skip, timeout: 120_000 }, async t => {
    const { board, ask } = await behind(t, name)
    const sendAt = new Date(Date.now() + 3600_000).toISOString()
    const body = { channel: 'cloud', to: '14155551234', type: 'text', text: { body: 'x' }, sendAt }
    const { id } = (await board.call('POST', '/messages', { body })).body
    const begun = performance.now()
    const answer = await ask('switchboard.internal', `/messages/${id}`, {
      headers: { authorization, prefer: 'wait=50' }
    })
    t.equal(answer.statusCode, 200)
    t.match(await answer.body.json(), { id, status: 'queued' })
    t.ok(performance.now() - begun > 45_000, 'CONTROL: it took as long as that')
  })
}
