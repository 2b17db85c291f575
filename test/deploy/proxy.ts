import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Dispatcher, request } from 'undici'
import { freePort } from '../free-port.ts'
import { type Board, startBoard } from '../helper.ts'
import { file } from '../process.ts'
import { until } from '../until.ts'
import { program } from './programs.ts'

// nginx and Caddy with the blocks of deploy/, in front of a whole Switchboard: only names, ports and TLS are changed.

export const proxyNames = ['nginx', 'caddy'] as const
export type ProxyName = (typeof proxyNames)[number]
/** Where each is installed. */
export const installed: Readonly<Record<ProxyName, string | undefined>> = {
  nginx: program('nginx', '-v'),
  caddy: program('caddy', 'version')
}

interface Ports {
  proxy: number
  api: number
  doors: number
}
const toOurs = (text: string, { api, doors }: Ports): string =>
  text.replaceAll('127.0.0.1:3000', `127.0.0.1:${api}`).replaceAll('127.0.0.1:3001', `127.0.0.1:${doors}`)

/** Writes the settings of each into a folder; answers with the arguments it is started with. */
const settings = {
  nginx: (folder: string, ports: Ports) => {
    const servers = toOurs(readFileSync(file('deploy/nginx/switchboard.conf'), 'utf8'), ports)
      .replaceAll('listen 443 ssl', `listen 127.0.0.1:${ports.proxy}`)
      .replace(/ {2}ssl_.*\n/g, '')
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      name => `${name}_temp_path ${folder}/${name};`
    )
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; pid ${folder}/pid; error_log ${folder}/error.log info; events {}
      http { access_log ${folder}/access.log; ${temporary.join(' ')}
      ${servers} }`
    )
    return ['-p', folder, '-e', join(folder, 'start.log'), '-c', join(folder, 'nginx.conf')]
  },
  caddy: (folder: string, ports: Ports) => {
    const sites = toOurs(readFileSync(file('deploy/caddy/Caddyfile'), 'utf8'), ports)
      .replace(/^([\w.-]+\.(?:com|internal)) \{$/gm, `http://$1:${ports.proxy} {`)
      .replace(/^\{$/m, '{\n  admin off\n  default_bind 127.0.0.1')
    writeFileSync(join(folder, 'Caddyfile'), sites)
    return ['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')]
  }
} satisfies Record<ProxyName, unknown>

export interface Proxied {
  board: Board
  /** Of the webhooks' door of channel cloud. */
  door: string
  /** One request to a name that the proxy serves. */
  ask: (
    host: string,
    path: string,
    options?: {
      method?: string
      headers?: Record<string, string>
      body?: Dispatcher.RequestOptions['body']
    }
  ) => ReturnType<typeof request>
  /** All that the proxy has written, its log files included. */
  logs: () => string
}

/** A Switchboard below https://tools.internal/switchboard, behind the proxy. */
export async function behind(t: Test, name: ProxyName, env: Record<string, string> = {}): Promise<Proxied> {
  const board = await startBoard(t, {
    env: { WEBHOOK_PORT: '0', TRUST_PROXY: '1', PUBLIC_URL: 'https://tools.internal/switchboard', ...env }
  })
  const doors = await board.board.webhookApp!.listen({ host: '127.0.0.1', port: 0 })
  const ports = { proxy: await freePort(), api: Number(new URL(board.url).port), doors: Number(new URL(doors).port) }
  const folder = t.testdir({ data: {} })
  mkdirSync(join(folder, 'config'))
  const child: ChildProcess = spawn(installed[name]!, settings[name](folder, ports), {
    env: { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  })
  let said = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', chunk => (said += chunk))
  const ended = new Promise(resolve => child.once('close', resolve))
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
  })
  const open = () =>
    new Promise<boolean>(resolve => {
      const socket = connect(ports.proxy, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
  await until(open, Boolean).catch(error => {
    throw new Error(`${name} did not start: ${said}`, { cause: error })
  })
  return {
    board,
    door: (await board.board.app.door.pathOf('cloud', 'live'))!,
    ask: (host, path, { method = 'GET', headers = {}, body } = {}) =>
      request(`http://127.0.0.1:${ports.proxy}${path}`, {
        method: method as 'GET',
        headers: { ...headers, host },
        body: body ?? null,
        headersTimeout: 0
      }),
    logs: () =>
      said +
      readdirSync(folder)
        .filter(file => file.endsWith('.log'))
        .map(file => readFileSync(join(folder, file), 'utf8'))
        .join('')
  }
}
