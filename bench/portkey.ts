import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../test/free-port.ts'
import {
  atLeast,
  inDirectory,
  matonKey,
  median,
  option,
  type Started,
  start,
  startServer,
  startUpstream
} from './children.ts'
import { cloudCall, cloudPath, describe, load, matonHeaders, throughServer } from './load.ts'

// POST /messages against Portkey's open-source gateway, whose proxy route passes the Cloud API's call on as it is, with the same
// upstream, in turn within one run. It is installed into a directory that goes with the benchmark.
// `npm run bench:portkey -- --rounds 5 --seconds 5 --warm 10000`
const rounds = option('rounds', 5)
const seconds = option('seconds', 5)
const warm = option('warm', 10_000)
const least = 4
const version = '1.15.2'
/**
 * The gateway adds headers to an answer of fetch; the server underneath lets it do so up to 1.14.1 only, and with what a plain
 * install brings every call is answered 500 (Portkey-AI/gateway issue 1389). This is the version that its own lock file has.
 */
const overrides = { '@hono/node-server': '1.13.5' }
/** Loopback is among the hosts that the gateway may call, unless TRUSTED_CUSTOM_HOSTS says otherwise. */
const environment = { NODE_ENV: 'production', TRUSTED_CUSTOM_HOSTS: '127.0.0.1' }

/** @returns what to start, or nothing where it cannot be installed */
async function install(directory: string): Promise<string | undefined> {
  const dependencies = { '@portkey-ai/gateway': version }
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ private: true, dependencies, overrides }))
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund']
  try {
    await promisify(execFile)('npm', args, { cwd: directory })
    return join(directory, 'node_modules/@portkey-ai/gateway/build/start-server.js')
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string }
    console.error(`Nothing was measured: @portkey-ai/gateway ${version} cannot be installed.\n${stderr || message}`)
    process.exitCode = 1
    return undefined
  }
}

/** A call that is not passed on and answered as by the stand-in itself is no measure. */
async function check({ url, headers, body }: ReturnType<typeof cloudCall>): Promise<void> {
  const answer = await fetch(url, { method: 'POST', headers, body })
  const text = await answer.text()
  if (answer.status !== 200 || !text.includes('wamid.')) throw new Error(`Portkey answered ${answer.status}: ${text}`)
}

await inDirectory(async directory => {
  const file = await install(directory)
  if (!file) return
  // It refuses any other key, so that one that is not passed on is found out.
  const upstream = await startUpstream('--key', matonKey)
  const port = await freePort()
  const listens = /(http:\/\/localhost:\d+)/
  const gateway: Started = await start(file, [`--port=${port}`, '--headless'], environment, [], listens)
  const portkey = cloudCall(gateway, '/v1/proxy', {
    ...matonHeaders,
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': upstream.url + cloudPath
  })
  await check(portkey)
  const board = throughServer(await startServer(directory, upstream))
  // Until most of it is compiled, on either side.
  for (const each of [portkey, board]) await load(each, { amount: warm })
  const ratios: number[] = []
  let failed = 0
  for (let round = 1; round <= rounds; round++) {
    const a = await load(portkey, { seconds })
    const b = await load(board, { seconds })
    failed += a.failed + b.failed
    ratios.push(b.perSecond / a.perSecond)
    console.log(
      `round ${round}: Portkey ${describe(a)} | switchboard ${describe(b)} | rate x${ratios.at(-1)!.toFixed(2)}`
    )
  }
  const rate = median(ratios)
  console.log(
    `median of ${rounds}: rate x${rate.toFixed(2)} ${failed > 0 ? `with ${failed} failed: FAIL` : atLeast(rate, least)}`
  )
})
