import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { file } from '../process.ts'

// What the image is made of, as far as that can be told without building it.

const dockerfile = readFileSync(file('Dockerfile'), 'utf8')
interface Locked {
  dev?: boolean
  os?: string[]
  cpu?: string[]
  hasInstallScript?: boolean
}
const { packages } = JSON.parse(readFileSync(file('package-lock.json'), 'utf8')) as { packages: Record<string, Locked> }
const shipped = Object.entries(packages).filter(([name, { dev }]) => name !== '' && !dev)
const bound = (all: [string, Locked][]): string[] =>
  all.filter(([, { os, cpu, hasInstallScript }]) => os || cpu || hasInstallScript).map(([name]) => name)

t.test('no package that is shipped has code of a machine’s own: the image is the same for amd64 and arm64', async t => {
  t.ok(shipped.length > 50)
  t.strictSame(bound(shipped), [])
  t.ok(bound(Object.entries(packages)).length > 0, 'CONTROL: some that are not shipped have')
  const bases = [...dockerfile.matchAll(/^FROM (.*?)(?: AS \w+)?$/gm)].map(([, base]) => base)
  t.strictSame(bases, ['--platform=$TARGETPLATFORM $BASE', '--platform=$TARGETPLATFORM $BASE', 'scratch'])
})

t.test('the list of what is shipped can be made, without asking anybody', async t => {
  const said = execFileSync(
    'npm',
    ['sbom', '--omit=dev', '--sbom-format=cyclonedx', '--package-lock-only', '--offline'],
    {
      cwd: file(''),
      encoding: 'utf8',
      maxBuffer: 2 ** 26
    }
  )
  const { components } = JSON.parse(said) as { components: { name: string }[] }
  const names = components.map(({ name }) => name)
  for (const name of ['fastify', 'pino', 'kysely']) t.ok(names.includes(name), name)
  for (const name of ['tap', 'typescript', 'kubernetes-models']) t.notOk(names.includes(name), name)
})

t.test('it starts node itself, as a user without rights, and holds nothing of tests and deployment', async t => {
  t.match(dockerfile, /^CMD \["node", .*"src\/server\.ts"\]$/m)
  t.match(dockerfile, /^USER 1000:1000\n(?:(?!^USER).*\n)*CMD/m)
  const [everything, ...taken] = readFileSync(file('.dockerignore'), 'utf8').split('\n').filter(Boolean)
  t.equal(everything, '*')
  t.strictSame(taken.sort(), [
    '!LICENSE',
    '!openapi.yaml',
    '!package-lock.json',
    '!package.json',
    '!routes',
    '!schemas',
    '!src'
  ])
})
