import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { startBoard } from '../helper.ts'
import { until } from '../until.ts'

// The blocks for nginx and Caddy of docs/hearing.md, run where these are installed: only names, ports and TLS are changed.

const page = readFileSync(new URL('../../docs/hearing.md', import.meta.url), 'utf8')
const block = (kind: string): string => new RegExp(`\`\`\`${kind}\\n([\\s\\S]*?)\`\`\``).exec(page)![1]!
const installed = (name: string): string | undefined => {
  const paths = ['/usr/sbin', '/usr/bin', ...(process.env.PATH ?? '').split(':')].map(at => join(at, name))
  return paths.find(path => spawnSync(path, [name === 'nginx' ? '-v' : 'version']).status === 0)
}
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

/** Nginx or Caddy as a process, its files in one folder. */
const proxies = {
  nginx: (folder: string, port: number, doors: number) => {
    const server = block('nginx')
      .replace('listen 443 ssl', `listen 127.0.0.1:${port}`)
      .replace(/ {2}ssl_.*\n/g, '')
      .replace(':3001', `:${doors}`)
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      name => `${name}_temp_path ${folder}/${name};`
    )
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; pid ${folder}/pid; error_log ${folder}/error.log info; events {}
      http { access_log ${folder}/access.log; ${temporary.join(' ')}
      ${server} }`
    )
    return ['-p', folder, '-e', join(folder, 'start.log'), '-c', join(folder, 'nginx.conf')]
  },
  caddy: (folder: string, port: number, doors: number) => {
    const site = block('caddy').replace('hooks.example.com', `http://127.0.0.1:${port}`).replace(':3001', `:${doors}`)
    writeFileSync(join(folder, 'Caddyfile'), site.replace('{', '{\n  admin off'))
    return ['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')]
  }
}

async function begin(t: Test, name: keyof typeof proxies, program: string, doors: number) {
  const folder = t.testdir({ data: {} })
  mkdirSync(join(folder, 'config'))
  const port = await freePort()
  const env = { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  const child: ChildProcess = spawn(program, proxies[name](folder, port, doors), { env })
  let said = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', chunk => (said += chunk))
  const ended = new Promise(resolve => child.once('close', resolve))
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
  })
  await until(
    () =>
      new Promise<boolean>(resolve => {
        const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
        socket.once('connect', () => socket.destroy())
      }),
    open => open
  )
  const logs = () =>
    said +
    readdirSync(folder)
      .filter(file => file.endsWith('.log'))
      .map(file => readFileSync(join(folder, file), 'utf8'))
      .join('')
  return { url: `http://127.0.0.1:${port}`, logs }
}

for (const name of ['nginx', 'caddy'] as const) {
  const program = installed(name)
  t.test(
    `${name}: webhooks come through byte for byte, nothing else does, and no log holds the token`,
    { skip: program === undefined && `${name} is not installed` },
    async t => {
      const board = await startBoard(t, { env: { WEBHOOK_PORT: '0' } })
      const doors = await board.board.webhookApp!.listen({ host: '127.0.0.1', port: 0 })
      const { url, logs } = await begin(t, name, program!, Number(new URL(doors).port))
      const path = (await board.board.app.door.pathOf('cloud', 'live'))!
      const post = async (at: string, body: string) => {
        const answer = await request(url + at, { method: 'POST', body })
        await answer.body.dump()
        return answer.statusCode
      }
      t.equal(await post(path, '{"entry":[]}'), 200)
      t.equal(await post(path, 'x'.repeat(4 * 1024 * 1024)), 200, '4 MiB')
      t.equal(await post(path, 'x'.repeat(4 * 1024 * 1024 + 1)), 413)
      t.equal(await post(`${path}x`, '{}'), 404)
      for (const at of ['/', '/messages', '/docs', '/readyz', '/metrics', '/webhooks/../readyz'])
        t.equal((await request(url + at)).statusCode, 404, at)
      t.match((await board.call('GET', '/metrics')).text, /outcome="kept"\} 2\n/)
      await board.close()
      t.equal(await post(path, '{}'), 502, 'nobody is there: the provider comes again')
      t.notMatch(logs(), path.split('/').at(-1)!)
    }
  )
}
