import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile, stat } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { PNG, site as siteIn, spoolDirectory } from './site.ts'

const { directory, left } = await spoolDirectory(t)
const site = (t: Test, answer: RequestListener) => siteIn(t, directory, answer)

t.test('a file is delivered with its size, hash, type and name', async t => {
  const { get } = await site(t, (_, response) => {
    response.writeHead(200, {
      'content-type': 'image/png; x=y',
      'content-disposition': `attachment; filename="plain.png"; filename*=UTF-8''r%C3%A9sum%C3%A9.png`
    })
    response.end(PNG)
  })
  const file = await get('/x')
  t.strictSame(await readFile(file.path), PNG)
  t.equal((await stat(file.path)).mode & 0o777, 0o600)
  t.match(file, {
    size: PNG.length,
    sha256: createHash('sha256').update(PNG).digest('hex'),
    declaredType: 'image/png; x=y',
    filename: 'résumé.png'
  })
  await file.remove()
  await file.remove()
})

t.test('the name comes from the header, else from the path, and never holds a path', async t => {
  let disposition: string | undefined
  const { get } = await site(t, (_, response) => {
    if (disposition !== undefined) response.setHeader('content-disposition', disposition)
    response.write(PNG) // chunked: with a length, Node would re-encode the header
    response.end()
  })
  const name = async (path: string, header?: string) => {
    disposition = header
    const file = await get(path)
    await file.remove()
    return file.filename
  }
  t.equal(await name('/a/b%20c.pdf?x=/d.exe'), 'b c.pdf')
  t.equal(await name('/a/..%2f..%2fetc%2fpasswd'), 'passwd')
  t.equal(await name('/%E2%80%AEgnp.exe'), 'gnp.exe', 'the right-to-left override is gone')
  t.equal(await name('/%zz'), undefined)
  t.equal(await name('/'), undefined)
  t.equal(await name('/u.pdf', 'attachment; filename="../../etc/passwd"'), 'passwd')
  t.equal(await name('/u.pdf', 'attachment; filename=token.pdf'), 'token.pdf')
  t.equal(await name('/u.pdf', 'attachment; filename="a\\"b.pdf"'), 'a_b.pdf')
  t.equal(await name('/u.pdf', 'attachment; filename="é.pdf"'), 'é.pdf', 'Latin-1')
  t.equal(await name('/u.pdf', Buffer.from('attachment; filename="☂.pdf"').toString('latin1')), '☂.pdf', 'UTF-8')
  t.equal(await name('/u.pdf', "attachment; filename*=UTF-8''%00..%2F%0d%0aevil.pdf"), 'evil.pdf')
  t.equal(await name('/u.pdf', 'inline'), 'u.pdf')
})

t.test('the server learns nothing of ours', async t => {
  const { get, seen, port } = await site(t, (_, response) => response.end(PNG))
  await (await get('/x?y=1#z')).remove()
  t.equal(seen[0]?.url, '/x?y=1')
  t.strictSame(seen[0]?.headers, {
    host: `127.0.0.1:${port}`,
    connection: 'keep-alive',
    'user-agent': 'switchboard',
    accept: '*/*',
    'accept-encoding': 'identity'
  })
})

t.test('a redirect is refused and not followed, wherever it leads', async t => {
  let location = ''
  let status = 302
  const { get, seen, port } = await site(t, (_, response) => {
    response.writeHead(status, { location })
    response.end()
  })
  const leads = ['http://169.254.169.254/', 'file:///etc/passwd', '/loop', 'https://cdn.example/', '//10.0.0.1/']
  for (location of [...leads, `http://127.0.0.1:${port}/again`]) {
    for (status of [301, 302, 303, 307, 308]) {
      const before = seen.length
      const message = `127.0.0.1 redirects (${status}), which is not followed; give the final URL`
      await t.rejects(get('/loop'), { name: 'EgressError', code: 'redirect', message }, `${status} to ${location}`)
      t.equal(seen.length, before + 1)
    }
  }
})

t.test('anything but 200 is refused, its body unread', async t => {
  let status = 404
  const { get } = await site(t, (_, response) => {
    response.writeHead(status)
    response.end(status === 204 ? undefined : Buffer.alloc(500_000))
  })
  for (status of [204, 206, 400, 401, 404, 410, 429, 500, 503]) {
    await t.rejects(get('/'), { code: 'bad_status', detail: new RegExp(`answered ${status}, not 200`) })
  }
})

t.test('a file over the cap is refused by its header before a byte is read', async t => {
  const { get } = await site(t, (_, response) => response.writeHead(200, { 'content-length': 1001 }).flushHeaders())
  await t.rejects(get('/', 1000), { code: 'too_large', detail: /larger than 1000 bytes/ })
})

t.test('an endless body is cut at the cap, and the connection closed', async t => {
  const { get, seen } = await site(t, (_, response) => {
    const pour = () => {
      while (response.write(Buffer.alloc(65_536)));
    }
    response.on('drain', pour)
    pour()
  })
  const refused = t.rejects(get('/', 100_000), { code: 'too_large' })
  await refused
  if (!seen[0]!.socket.destroyed) await once(seen[0]!.socket, 'close')
})

t.test('a file of exactly the cap is taken, with and without a length', async t => {
  const { get } = await site(t, (request, response) => {
    if (request.url === '/chunked') response.write(Buffer.alloc(1))
    response.end(Buffer.alloc(request.url === '/chunked' ? 999 : 1000))
  })
  for (const path of ['/', '/chunked']) {
    const file = await get(path, 1000)
    t.equal(file.size, 1000)
    await file.remove()
    await t.rejects(get(path, 999), { code: 'too_large' })
  }
})

t.test('a gzip bomb is stopped at the size that was allowed', async t => {
  const { get } = await site(t, (_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'image/png' })
    response.end(gzipSync(Buffer.alloc(20_000_000)))
  })
  await t.rejects(get('/', 100_000), { code: 'too_large' })
})

t.test('no test left a file', async t => t.strictSame(await left(), []))
