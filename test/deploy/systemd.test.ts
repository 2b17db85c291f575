import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { readConfig } from '../../src/config.ts'
import { file } from '../process.ts'
import { until } from '../until.ts'
import { absent, program } from './programs.ts'

// deploy/systemd/switchboard.service: as systemd reads it, and whether its command hears what systemd says.

const unit = readFileSync(file('deploy/systemd/switchboard.service'), 'utf8')
const all = (name: string): string[] =>
  [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value!)
const analyze = program('systemd-analyze', '--version')

t.test('systemd finds nothing wrong with it', { skip: absent(analyze, 'systemd-analyze') }, async t => {
  const check = (path: string) => spawnSync(analyze!, ['verify', '--man=no', path], { encoding: 'utf8' })
  const about = (text: string) =>
    text.split('\n').filter(line => line.includes('switchboard.service') && !/is not executable/.test(line))
  const { stderr, stdout } = check(file('deploy/systemd/switchboard.service'))
  t.strictSame(about(stdout + stderr), [])
  const wrong = t.testdir({ 'switchboard.service': unit.replace('TimeoutStopSec=40', 'TimeoutStoppSec=40') })
  const { stderr: said, stdout: out } = check(`${wrong}/switchboard.service`)
  t.ok(about(said + out).length > 0, 'CONTROL')
})

t.test('its command reads again at SIGHUP and ends with 0 at SIGTERM, within its time', async t => {
  const [program, ...args] = all('ExecStart')[0]!.split(' ')
  t.equal(program, '/usr/bin/node')
  const env = Object.fromEntries(all('Environment').map(pair => pair.split('=', 2) as [string, string]))
  t.strictSame(
    readConfig(env).faults.filter(fault => !/_FILE cannot be read/.test(fault)),
    [],
    'the settings are settings'
  )
  const child = spawn(process.execPath, args, {
    cwd: file(''),
    env: { PATH: process.env.PATH, DATA_DIR: t.testdir(), PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (said += chunk))
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  t.teardown(() => child.kill('SIGKILL'))
  await until(
    () => said,
    text => text.includes('"listening"')
  )
  t.equal(all('ExecReload')[0], '/bin/kill -HUP $MAINPID')
  child.kill('SIGHUP')
  await until(
    () => said,
    text => text.includes('SIGHUP')
  )
  const begun = performance.now()
  child.kill('SIGTERM')
  t.equal(await ended, 0, said)
  t.ok(performance.now() - begun < Number(all('TimeoutStopSec')[0]) * 1000)
  t.match(said, /"closed"/)
})
