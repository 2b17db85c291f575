import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const watch = `
import { registerHooks } from 'node:module'
registerHooks({
  resolve(name, context, next) {
    if (name === 'tap') console.log(context.parentURL)
    return next(name, context)
  }
})`

/** Who asks for tap where these modules are loaded, by their addresses. */
async function whoLoadsTap(...modules: string[]): Promise<string> {
  const imports = modules.map(path => `await import(${JSON.stringify(new URL(path, import.meta.url).href)})`)
  const { TAP_TIMEOUT: _, ...env } = process.env
  const program = [watch, ...imports, 'process.exit()'].join('\n')
  return (await run(process.execPath, ['--input-type=module', '-e', program], { env })).stdout
}

t.test('a torture may take hours: nothing of it loads tap, which ends a process that seems to hang', async t => {
  t.equal(await whoLoadsTap('./torture.ts', './pace.ts', './check.ts'), '')
  t.match(await whoLoadsTap('./told.test.ts'), 'told.test.ts', 'CONTROL')
})
