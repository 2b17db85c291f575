import { spawn } from 'node:child_process'
import { createServer } from 'node:https'
import t from 'tap'
import { file } from '../process.ts'
import { certificate } from './certificate.ts'
import { listen } from './site.ts'

const tls = certificate()
t.teardown(() => tls?.remove())

const program = `
  const { createGuard } = await import(process.argv[1])
  const { createPoster } = await import(process.argv[2])
  const poster = createPoster(createGuard({ allow: ['127.0.0.1'] }))
  const options = { headers: {}, body: '{}', timeoutMs: 15000, maxBytes: 1024 }
  const said = await poster.post(process.argv[3], options).then(({ status }) => String(status), error => error.message)
  console.log(said)
  await poster.close()`

t.test(
  'a CA of one’s own is believed where NODE_EXTRA_CA_CERTS names it, and nowhere else',
  { skip: !tls },
  async t => {
    const server = createServer(tls!, (_, response) => response.writeHead(204).end())
    const url = `https://127.0.0.1:${await listen(t, server)}/hook`
    const post = async (env: Record<string, string>): Promise<string> => {
      const args = [
        '--input-type=module',
        '-e',
        program,
        file('src/upstream/egress.ts'),
        file('src/upstream/post.ts'),
        url
      ]
      const child = spawn(process.execPath, args, {
        env: { PATH: process.env.PATH, ...env },
        stdio: ['ignore', 'pipe', 'inherit']
      })
      let said = ''
      child.stdout!.on('data', part => (said += part))
      await new Promise(resolve => child.once('close', resolve))
      return said.trim()
    }
    t.equal(await post({ NODE_EXTRA_CA_CERTS: tls!.path }), '204')
    t.match(await post({}), /SELF_SIGNED|UNABLE_TO_VERIFY/, 'POSITIVE CONTROL: without it the receiver is refused')
  }
)
