import { globSync, readFileSync } from 'node:fs'
import { dirname, join, matchesGlob, normalize } from 'node:path'
import t from 'tap'
import { type Room, rooms } from './floor-plan.ts'
import { commons, reserved, words } from './floor-plan-keys.ts'

// The floor plan (floor-plan.ts) against the imports that really stand in the files.

type Sources = ReadonlyMap<string, string>
interface Import {
  file: string
  /** A file of ours from the root, or a package's name. */
  to: string
  ours: boolean
  typeOnly: boolean
}

const statement = /^\s*(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm
const dynamic = /\bimport\(\s*'([^']+)'/g
function importsOf([file, text]: [string, string]): Import[] {
  const found = [...text.matchAll(statement)].map(([, type, to]) => ({ to: to!, typeOnly: type !== undefined }))
  const late = [...text.matchAll(dynamic)].map(([, to]) => ({ to: to!, typeOnly: false }))
  return [...found, ...late].map(({ to, typeOnly }) => {
    const ours = to.startsWith('.')
    const whole = ours ? normalize(join(dirname(file), to)).replaceAll('\\', '/') : to
    return { file, typeOnly, ours, to: ours ? whole : (/^(@[^/]+\/)?[^/]+/.exec(to)?.[0] ?? to) }
  })
}

const within = (file: string, places: readonly string[]): boolean =>
  places.some(place => place === '*' || (place.endsWith('/') ? file.startsWith(place) : file === place))
function roomOf(file: string): Room | undefined {
  const room = rooms.filter(({ at }) => within(file, [at])).sort((a, b) => b.at.length - a.at.length)[0]
  return room ?? (dirname(file) === 'src' ? rooms.find(({ at }) => at === 'src/*') : undefined)
}

function trespass(one: Import): string[] {
  const { file, to, ours, typeOnly } = one
  const room = roomOf(file)
  if (!room) return [`${file} stands in no room`]
  const what = `${file} imports ${to}`
  const kept = reserved.filter(rule => within(to, [rule.what]) && !typeOnly && !within(file, rule.by))
  if (kept.length > 0) return [what]
  if (ours && !to.endsWith('.ts')) return [`${what} without its ending`]
  if (ours) {
    const home = room.at.endsWith('/') ? [room.at] : []
    const shared = /^src\/(adapters|sandbox)\/|^schemas\//.test(file) ? [] : commons
    return within(to, [...home, ...shared, ...room.may, ...(typeOnly ? (room.types ?? []) : [])]) ? [] : [what]
  }
  if (to.startsWith('node:')) return []
  return within(to, [...(room.packages ?? []), ...(typeOnly ? (room.packageTypes ?? []) : [])]) ? [] : [what]
}

/** Files that import each other in a circle at run time: the order in which they load would decide what they see. */
function circles(imports: readonly Import[]): string[] {
  const next = new Map<string, string[]>()
  for (const { file, to, ours, typeOnly } of imports)
    if (ours && !typeOnly) next.set(file, [...(next.get(file) ?? []), to])
  const done = new Set<string>()
  const found: string[] = []
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file].join(' → '))
    if (done.has(file) || path.includes(file)) return
    for (const to of next.get(file) ?? []) visit(to, [...path, file])
    done.add(file)
  }
  for (const file of next.keys()) visit(file, [])
  return found
}

/** Comments may name what code may not. */
const code = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')

const misplaced = (sources: Sources): string[] =>
  words.flatMap(({ name, pattern, only }) =>
    [...sources].flatMap(([file, text]) => {
      // a function of that name that was handed in is not the global one
      const own =
        name === 'the global fetch' && /\b(const|function)\s+fetch\b|\bfetch:\s|[(,]\s*fetch\s*[,)]/.test(text)
      return !within(file, only) && !own && pattern.test(code(text)) ? [`${name} in ${file}`] : []
    })
  )

const read = (...patterns: string[]): Sources =>
  new Map(globSync(patterns).map(file => [file.replaceAll('\\', '/'), readFileSync(file, 'utf8')]))
const house = read('schemas/**/*.ts', 'routes/**/*.ts', 'src/**/*.ts', 'src/store/*.js')
const imports = [...house].flatMap(importsOf)

t.test('every import keeps to the floor plan', async t => {
  t.ok(house.size > 100 && imports.length > 300, `${house.size} files, ${imports.length} imports`)
  t.strictSame(imports.flatMap(trespass), [])
})

t.test('no files import each other in a circle', async t => t.strictSame(circles(imports), []))

t.test('fetch, the environment, exits and transactions stand where they may', async t =>
  t.strictSame(misplaced(house), [])
)

t.test('undici is named by src/upstream, the sandbox’s webhooks, tests and benchmarks only', async t => {
  const others = [...read('*.ts', '*.js', '*.mjs')].flatMap(importsOf)
  t.strictSame(
    [...new Set([...imports, ...others].filter(({ to }) => to === 'undici').map(({ file }) => dirname(file)))].sort(),
    ['src/sandbox/webhooks', 'src/upstream']
  )
})

t.test('no file is longer than 300 lines, no adapter’s than 200', async t => {
  const all = [...house, ...read('test/**/*.ts', 'bench/**/*.ts')].filter(([file]) => !file.includes('/fixtures/'))
  const limit = (file: string) => (/^src\/adapters\/.+\//.test(file) ? 200 : 300)
  const length = (text: string) => text.trimEnd().split('\n').length
  t.strictSame(
    all.filter(([file, text]) => length(text) > limit(file)).map(([file, text]) => `${file}: ${length(text)}`),
    []
  )
})

/** The suites of `npm test` that a file is in. */
const suitesOf = (file: string, suites: Sources): string[] =>
  [...suites]
    .filter(([, text]) =>
      [...text.matchAll(/'([^']+\.test\.ts)'/g)].some(([, pattern]) => matchesGlob(file, `test/${pattern}`))
    )
    .map(([suite]) => suite)

t.test('every short test file is in one suite of npm test', async t => {
  const suites = read('test/suites/*.ts')
  const short = globSync('test/**/*.test.ts').filter(file => !file.endsWith('.long.test.ts'))
  t.ok(short.length > 100 && suites.size > 5, `${short.length} files in ${suites.size} suites`)
  const found = short.map(file => [file, suitesOf(file.replaceAll('\\', '/'), suites)] as const)
  t.strictSame(
    found.filter(([, its]) => its.length !== 1),
    []
  )
  t.strictSame(suitesOf('test/nowhere/x.test.ts', suites), [], 'CONTROL: a file of no suite is seen')
})

t.test('POSITIVE CONTROL: what the plan forbids is found', async t => {
  const bad: [file: string, line: string][] = [
    ['routes/x.ts', "import { request } from 'undici'"],
    ['routes/x.ts', "import { wati } from '../src/adapters/wati/index.ts'"],
    ['routes/x.ts', "import type { Store } from '../src/store/store.ts'"],
    ['routes/x.ts', "import {\n  buildApp\n} from '../src/http/fastify.ts'"],
    ['schemas/x.ts', "import { ServiceError } from '../src/errors.ts'"],
    ['src/adapters/wati/x.ts', "import { encoders } from '../whatsapp-cloud/encode.ts'"],
    ['src/adapters/wati/x.ts', "export * from '../../store/index.ts'"],
    ['src/adapters/wati/x.ts', "import fastify from 'fastify'"],
    ['src/dispatch/x.ts', "import { adapters } from '../adapters/index.ts'"],
    ['src/delivery/x.ts', "const { adapters } = await import('../adapters/index.ts')"],
    ['src/delivery/x.ts', "const { startSandbox } = await import('../sandbox/index.ts')"],
    ['src/sandbox/x.ts', "import { Template } from '../../schemas/templates.ts'"],
    ['src/container.ts', "import { Pool } from 'undici'"],
    ['src/keys/x.ts', "import http from 'node:http'"],
    ['src/store/x.ts', "import { newId } from '../ids'"],
    ['src/attic/x.ts', "import { newId } from '../ids.ts'"],
    ['src/delivery/intake/x.ts', "import { createWorker } from '../sending/worker.ts'"],
    ['src/delivery/unknown/x.ts', "import { createWorker } from '../sending/worker.ts'"],
    ['src/delivery/scheduling/x.ts', "import { toDraft } from '../intake/prepare.ts'"],
    ['src/broadcasts/x.ts', "import { createScheduler } from '../delivery/scheduling/scheduler.ts'"],
    ['src/messages/x.ts', "import { invalid } from '../http/problems.ts'"]
  ]
  for (const one of bad) t.ok(importsOf(one).flatMap(trespass).length > 0, one.join(': '))
  const lines = [
    "await fetch('http://x')",
    'process.env.KEY',
    'if (hashed === adminHash) return admin',
    'if (Buffer.from(hashed).equals(Buffer.from(adminHash))) return admin',
    "if (channel.provider === 'wati') return",
    "db.exec('BEGIN')",
    "db.exec('begin;')",
    'await import(name)',
    "await corridor.call('sendMessage', channel, encoded)",
    'yield* change(queries.dispatch(turn))',
    'yield* all(queue.claim(line))'
  ]
  for (const line of lines) t.equal(misplaced(new Map([['src/keys/x.ts', line]])).length, 1, line)
  const ring: [string, string][] = [
    ['src/a.ts', "import './b.ts'"],
    ['src/b.ts', "import './a.ts'"]
  ]
  t.equal(circles(ring.flatMap(importsOf)).length, 1, 'a circle')
})
