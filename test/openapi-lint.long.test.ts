import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'

const file = new URL('../openapi.yaml', import.meta.url)
const text = readFileSync(file, 'utf8')

t.setTimeout(300_000)

/** What the linter may say, and why that is right here. */
const explained = new Set<string>()

t.test('the linter finds nothing but what is explained', async t => {
  const bin = new URL('../node_modules/@redocly/cli/bin/cli.js', import.meta.url).pathname
  const lint = async (path: string) => {
    const { stdout } = await promisify(execFile)(process.execPath, [bin, 'lint', path, '--format=json'], {
      env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
      maxBuffer: 1 << 26
    }).catch(error => error as { stdout: string })
    const { problems } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as {
      problems: { ruleId: string; message: string; location: { pointer?: string }[] }[]
    }
    return problems.map(({ ruleId, message, location }) => `${ruleId} ${location[0]?.pointer}: ${message}`)
  }
  t.strictSame(
    (await lint(file.pathname)).filter(each => !explained.has(each)),
    []
  )
  const broken = `${t.testdir()}/broken.yaml`
  writeFileSync(broken, text.replace('operationId: getMessage\n', 'operationId: listMessages\n'))
  t.match(await lint(broken), [/operationId/], 'POSITIVE CONTROL: it finds an operationId that is there twice')
})
