import { execFile } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { startBoard } from './helper.ts'

const run = promisify(execFile)
const root = new URL('..', import.meta.url).pathname
const bin = (name: string) => join(root, 'node_modules/.bin', name)
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }

t.test('`npm run client` writes a client that the example compiles and runs with', async t => {
  const examples = t.testdir()
  // The script itself, but for where it writes to.
  const [generator, ...words] = scripts.client!.replace('examples', examples).split(' ')
  await run(bin(generator!), words, { cwd: root })
  t.match(readFileSync(join(examples, 'client.ts'), 'utf8'), /class Api[\s\S]+sendMessage:/)

  const example = join(examples, 'send.ts')
  copyFileSync(join(root, 'examples/send.ts'), example)
  const compile = async (file: string) => {
    const options = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--erasableSyntaxOnly',
      '--types',
      'node'
    ]
    const modules = ['--module', 'nodenext', '--target', 'esnext', '--allowImportingTsExtensions']
    const types = ['--typeRoots', join(root, 'node_modules/@types')]
    // The test runner hands its own loader down to every child by NODE_OPTIONS, and the compiler does not load with it.
    const bare = ['-c', 'NODE_OPTIONS= exec "$@"', 'sh', bin('tsc')]
    return run('sh', [...bare, ...options, ...modules, ...types, file], { cwd: examples }).then(
      () => '',
      (error: { stdout: string; stderr: string }) => error.stdout || error.stderr
    )
  }
  writeFileSync(join(examples, 'package.json'), '{ "type": "module" }')
  t.equal(await compile(example), '')
  const wrong = join(examples, 'wrong.ts')
  writeFileSync(
    wrong,
    readFileSync(example, 'utf8').replace("type: 'text'", "type: 'txt'").replace('dry.data.', 'dry.')
  )
  t.match(await compile(wrong), /'"txt"'[\s\S]*'request'/, 'POSITIVE CONTROL: what is not in the document does not')

  const narrow = join(examples, 'narrow.ts')
  const narrowed = (asked: string, read: string) =>
    writeFileSync(
      narrow,
      `import type { Message } from './client.ts'\nexport const f = (m: Message) => (m.type === '${asked}' ? m.${read} : undefined)\n`
    )
  for (const [asked, read] of [
    ['image', 'image?.caption'],
    ['location', 'location'],
    ['reply', 'reply?.title']
  ] as const) {
    narrowed(asked, read)
    t.equal(await compile(narrow), '', `a message of type ${asked} has its content`)
  }
  narrowed('location', 'image')
  t.match(await compile(narrow), /'image' does not exist/, 'POSITIVE CONTROL: and no other’s')

  const event = join(examples, 'event.ts')
  const told = (type: string, read: string) =>
    writeFileSync(
      event,
      `import type { Event } from './client.ts'\nexport const f = (e: Event) => (e.type === '${type}' ? e.data.${read} : undefined)\n`
    )
  for (const [type, read] of [
    ['message.failed', 'error?.code'],
    ['broadcast.finished', 'counts.failed'],
    ['connection.changed', 'channels[0]'],
    ['suppression.added', 'category']
  ] as const) {
    told(type, read)
    t.equal(await compile(event), '', `an event of type ${type} has its data`)
  }
  told('channel.silent', 'counts')
  t.match(await compile(event), /'counts' does not exist/, 'POSITIVE CONTROL: and no other’s')

  const board = await startBoard(t)
  const key = await board.key({ mode: 'test' })
  const send = (to: string, channel: string) =>
    run(process.execPath, [example, to, channel], {
      env: { ...process.env, SWITCHBOARD_URL: board.url, SWITCHBOARD_KEY: key }
    }).then(
      ({ stdout }) => ({ code: 0, stdout, stderr: '' }),
      (error: { code: number; stdout: string; stderr: string }) => error
    )
  const { code, stdout, stderr } = await send('+1 415 555 1234', 'cloud')
  t.equal(code, 0, stderr)
  t.match(stdout, /^POST \/whatsapp-business\/v24\.0\/\d+\/messages through cloud\nmsg_\w+ is accepted, .*wamid\./)
  t.match(stdout, /(msg_\w+) is accepted[^\n]*\n\1 is accepted/, 'and read again')
  const closed = await send('15550100002', 'cloud')
  t.match(closed, { code: 1, stderr: /^window_closed: .*outcome: not_sent/ })
  t.equal((await board.call('GET', '/messages', { key })).body.items.length, 2)
})
