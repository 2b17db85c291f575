import { appendFileSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'

// `npm run new-provider -- <name>`: a provider that sends text and hears, on both sides, with its test. What it writes passes
// the suite at once; from there it is changed into what the provider really speaks (src/adapters/README.md).

const root = new URL('../../', import.meta.url)
const parts = [
  { from: 'adapter', to: (name: string, file: string) => `src/adapters/${name}/${file}` },
  { from: 'stand-in', to: (name: string, file: string) => `src/sandbox/${name}/${file}` },
  { from: 'test', to: (name: string, file: string) => `test/adapters/${name}.${file}` }
]
/** The registries, a line a provider. */
const registries = ['src/adapters/all.ts', 'src/sandbox/all.ts']

const camel = (name: string): string => name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

/** Writes everything that a new provider needs. @returns the files that were written or got a line */
export function newProvider(name: string, into: URL = root): string[] {
  if (!/^[a-z][a-z0-9-]{1,30}$/.test(name)) throw new Error('a name is lower case letters, digits and hyphens')
  const at = (path: string) => new URL(path, into)
  if (existsSync(at(`src/adapters/${name}`))) throw new Error(`there is a provider ${name} already`)
  const filled = (text: string): string => text.replaceAll('__name__', name).replaceAll('__Name__', camel(name))
  const written = parts.flatMap(({ from, to }) =>
    globSync(`src/cli/new-provider/${from}/*.txt`, { cwd: into.pathname }).map(template => {
      const path = to(name, basename(template, '.txt'))
      mkdirSync(dirname(at(path).pathname), { recursive: true })
      writeFileSync(at(path), filled(readFileSync(at(template), 'utf8')))
      return path
    })
  )
  for (const registry of registries)
    appendFileSync(at(registry), `export { ${camel(name)} } from './${name}/index.ts'\n`)
  return [...written, ...registries]
}

if (import.meta.main) {
  try {
    const written = newProvider(process.argv[2] ?? '')
    console.log(written.join('\n'))
    console.log('\nnext: npm run openapi && npm run readme && npm test; what each file is for: src/adapters/README.md')
  } catch (error) {
    console.error(`npm run new-provider -- <name>: ${(error as Error).message}`)
    process.exitCode = 1
  }
}
