import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { until } from '../helper.ts'
import { place, run } from '../life/run.ts'

const matonUrl = 'http://127.0.0.1:9'
const declared = (...ids: string[]) =>
  JSON.stringify({ channels: ids.map(id => ({ id, provider: 'wati', connectionId: `${id}-connection` })) })

t.test('SIGHUP reads the channels file again, and ends nothing; a file with a fault changes nothing', async t => {
  const directory = place(t)
  const server = await run(t, { directory, matonUrl })
  const ids = async () => (await server.call('GET', '/channels')).body.items.map(({ id }: { id: string }) => id)
  t.strictSame(await ids(), ['cloud'])
  writeFileSync(join(directory, 'channels.json'), declared('shop', 'office'))
  server.child.kill('SIGHUP')
  t.strictSame(await until(ids, found => found.length === 2), ['office', 'shop'])
  writeFileSync(join(directory, 'channels.json'), declared('shop', 'shop'))
  server.child.kill('SIGHUP')
  await until(
    () => server.output(),
    said => /the channels file was not applied/.test(said)
  )
  t.match(server.output(), /is there twice/)
  t.strictSame(await ids(), ['office', 'shop'], 'what was there goes on')
  t.equal(await server.end(), 0, 'and SIGTERM ends it as ever')
})

/** Sends SIGUSR1 until the process has said anything about it. */
const nudged = async (child: { kill: (signal: NodeJS.Signals) => boolean }, said: () => string): Promise<string> =>
  until(
    () => {
      child.kill('SIGUSR1')
      return said()
    },
    text => /SIGUSR1|Debugger/.test(text)
  )

t.test('SIGUSR1 opens no debugger', async t => {
  const server = await run(t, { directory: place(t), matonUrl })
  const said = await nudged(server.child, server.output)
  t.notMatch(said, /Debugger/)
  t.equal((await server.call('GET', '/livez')).status, 200)

  const bare = spawn(process.execPath, [
    '--inspect-port=127.0.0.1:0',
    '-e',
    'setInterval(() => {}, 1000); console.log("up")'
  ])
  t.teardown(() => bare.kill('SIGKILL'))
  let text = ''
  for (const stream of [bare.stdout, bare.stderr]) stream.on('data', chunk => (text += chunk))
  await until(
    () => text,
    up => up.includes('up')
  )
  t.match(await nudged(bare, () => text), /Debugger listening/, 'CONTROL: a Node without our listener opens one')
})
