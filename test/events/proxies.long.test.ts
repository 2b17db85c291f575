import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { absent, program } from '../deploy/programs.ts'
import { freePort } from '../free-port.ts'
import { startBoard, until } from '../helper.ts'
import { listen } from './listen.ts'

// The stream through proxies as they come: nothing is set in them but who listens and who is behind.

const haproxy = program('haproxy', '-v')
const nginx = program('nginx', '-v')

/** What each is told, and how it is started with that. */
const proxies = {
  nginx: {
    path: nginx,
    config: (port: number, behind: string, folder: string) => {
      const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(at => `${at}_temp_path ${folder}/${at};`)
      return `daemon off; pid ${folder}/pid; error_log ${folder}/error.log; events {}
      http { access_log off; ${places.join(' ')} server { listen 127.0.0.1:${port}; location / { proxy_pass http://${behind}; } } }\n`
    },
    words: (file: string, folder: string) => ['-p', folder, '-e', `${folder}/start.log`, '-c', file]
  },
  haproxy: {
    path: haproxy,
    config: (port: number, behind: string) =>
      `defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\nfrontend f\n  bind 127.0.0.1:${port}\n  default_backend b\nbackend b\n  server s ${behind}\n`,
    words: (file: string) => ['-f', file, '-db']
  }
}

/** Starts one in front of an address; answers with its own. */
async function inFront(t: Test, name: keyof typeof proxies, url: string): Promise<string> {
  const { path, config, words } = proxies[name]
  const folder = join(t.testdir(), name)
  mkdirSync(folder)
  const port = await freePort()
  const file = join(folder, 'config')
  writeFileSync(file, config(port, new URL(url).host, folder))
  const child = spawn(path!, words(file, folder), { stdio: 'ignore' })
  t.teardown(async () => {
    child.kill('SIGTERM')
    await new Promise(resolve => (child.exitCode === null ? child.once('close', resolve) : resolve(0)))
  })
  const open = () =>
    new Promise<boolean>(resolve => {
      const socket = connect(port, '127.0.0.1', () => resolve(true))
      socket.once('error', () => resolve(false)).once('connect', () => socket.destroy())
    })
  await until(open, is => is)
  return `http://127.0.0.1:${port}`
}

for (const name of ['nginx', 'haproxy'] as const)
  t.test(
    `${name}: events come while the stream is open, and go on where it was cut off`,
    { skip: absent(proxies[name].path, name) },
    async t => {
      const board = await startBoard(t)
      const key = await board.key({ scopes: ['messages:send', 'events:read'] })
      const send = async (i: number): Promise<string> => {
        const body = { channel: 'cloud', to: `+1415555010${i}`, type: 'text', text: { body: 'Hello' } }
        return (await board.call('POST', '/messages', { key, body })).body.id
      }
      const proxy = await inFront(t, name, board.url)
      const one = await listen(proxy, key)
      await until(one.lastId, id => id !== '')
      const sent = [await send(0)]
      // Held back by the proxy it would not come before there is more.
      await until(
        () => one.events.length,
        count => count === 1,
        10_000
      )
      one.close()
      sent.push(await send(1))
      const two = await listen(proxy, key, { lastId: one.lastId() })
      sent.push(await send(2))
      await until(
        () => two.events.length,
        count => count === 2
      )
      t.strictSame(
        [...one.events, ...two.events].map(({ data }) => (data.data as { id: string }).id),
        sent
      )
      two.close()
    }
  )
