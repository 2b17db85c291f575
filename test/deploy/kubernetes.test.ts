import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { readConfig } from '../../src/config.ts'
import { file } from '../process.ts'
import { absent, program } from './programs.ts'

// deploy/kubernetes: each document by Kubernetes's own schema, and what the manifests promise.

interface Document {
  apiVersion: string
  kind: string
  // biome-ignore lint/suspicious/noExplicitAny: of whatever kind
  [member: string]: any
}
const documents = (text: string): Document[] => parseAllDocuments(text).map(document => document.toJS() as Document)
const base = globSync(file('deploy/kubernetes/base/*.yaml'))
  .filter(path => !path.endsWith('kustomization.yaml'))
  .flatMap(path => documents(readFileSync(path, 'utf8')))

/** What is wrong with a document by the schema of its kind. */
async function faults(document: Document): Promise<string | null> {
  const models = (await import(`kubernetes-models/${document.apiVersion}`)) as Record<
    string,
    new (
      data: object
    ) => { validate: () => void }
  >
  const Model = models[document.kind]
  if (!Model) return `there is no ${document.kind} in ${document.apiVersion}`
  try {
    new Model(document).validate()
    return null
  } catch (error) {
    return (error as Error).message
  }
}

/** What the compiler says of the documents as literals of Kubernetes's types: names that are misspelt, above all. */
function misspelt(folder: string, all: Document[]): string {
  const names = [...new Set(all.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`))]
  const imports = names.map((name, i) => {
    const [version, kind] = name.split(' ')
    return `import type { I${kind} as K${i} } from 'kubernetes-models/${version}'`
  })
  const values = all.map(
    (each, i) => `export const d${i}: K${names.indexOf(`${each.apiVersion} ${each.kind}`)} = ${JSON.stringify(each)}`
  )
  writeFileSync(join(folder, 'documents.ts'), [...imports, ...values].join('\n'))
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2023', '--ignoreConfig']
  const { stdout, stderr, status, error } = spawnSync(
    'sh',
    // The test runner hands its own loader down to every child by NODE_OPTIONS, and the compiler does not load with it.
    [
      '-c',
      'NODE_OPTIONS= exec "$@"',
      'sh',
      file('node_modules/.bin/tsc'),
      ...options,
      '--module',
      'nodenext',
      join(folder, 'documents.ts')
    ],
    { encoding: 'utf8' }
  )
  return status === 0 ? '' : stdout || `it did not run: ${stderr} ${error}`
}
async function right(t: Test, all: Document[]) {
  for (const document of all) t.equal(await faults(document), null, `${document.kind} ${document.metadata.name}`)
  // Below the repository, so that packages are found.
  t.equal(misspelt(t.testdir(), all), '')
}

t.test('the base is as Kubernetes’s schema has it', async t => right(t, base))

t.test('POSITIVE CONTROL: a wrong type, a wrong word and a misspelt name are found', async t => {
  const deployment = structuredClone(base.find(({ kind }) => kind === 'Deployment')!)
  t.match(await faults({ ...deployment, spec: { ...deployment.spec, replicas: 'three' } }), 'replicas')
  t.match(await faults({ ...deployment, kind: 'Deplyment' }), 'there is no')
  t.match(misspelt(t.testdir(), [{ ...deployment, spec: { ...deployment.spec, replica: 3 } }]), 'replica')
})

const kubectl = program('kubectl', 'version', '--client')
const built = (overlay: string): Document[] => {
  const { stdout, stderr, status } = spawnSync(kubectl!, ['kustomize', file(`deploy/kubernetes/${overlay}`)], {
    encoding: 'utf8'
  })
  if (status !== 0) throw new Error(stderr)
  return documents(stdout)
}

for (const overlay of ['sqlite', 'postgres'])
  t.test(`${overlay}: what kustomize makes of it`, { skip: absent(kubectl, 'kubectl') }, async t => {
    const all = built(overlay)
    await right(t, all)
    const one = (kind: string) => all.find(document => document.kind === kind)
    const { spec } = one('Deployment')!
    const pod = spec.template.spec
    const [container] = pod.containers
    t.match(pod, {
      enableServiceLinks: false,
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }
    })
    t.equal(pod.securityContext.runAsUser, undefined, 'whichever number the platform gives')
    t.match(container.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] }
    })
    t.ok(pod.volumes.some((volume: Document) => volume.projected?.sources[0].secret.name === 'switchboard'))
    t.match(
      [container.startupProbe, container.livenessProbe, container.readinessProbe],
      [{ httpGet: { path: '/livez' } }, { httpGet: { path: '/livez' } }, { httpGet: { path: '/readyz' } }]
    )
    for (const { name } of container.volumeMounts)
      t.ok(
        pod.volumes.some((volume: Document) => volume.name === name),
        `volume ${name}`
      )
    const open = one('NetworkPolicy')!.spec.ingress.filter((rule: Document) => rule.from === undefined)
    t.strictSame(open, [{ ports: [{ port: 'webhooks' }] }], 'the world reaches the webhooks alone')
    const env = Object.fromEntries(
      container.env.map(({ name, value }: { name: string; value: string }) => [name, value])
    )
    // The files are in the cluster; that they are not here is all that may be wrong.
    const wrong = readConfig({ ...env, HOST: '0.0.0.0', PORT: '3000' }).faults.filter(
      fault => !/_FILE cannot be read|KEY_PEPPER is required/.test(fault)
    )
    t.strictSame(wrong, [], 'the settings are settings')
    const ports = Object.fromEntries(
      container.ports.map(({ name, containerPort }: Document) => [name, String(containerPort)])
    )
    t.match(ports, { http: '3000', webhooks: env.WEBHOOK_PORT, metrics: env.METRICS_PORT })
    t.ok(pod.terminationGracePeriodSeconds * 1000 >= Number(env.SHUTDOWN_DELAY_MS) + 25_000, 'it is given its time')
    if (overlay === 'sqlite') {
      t.match(spec, { replicas: 1, strategy: { type: 'Recreate' } })
      t.ok(one('PersistentVolumeClaim'))
      t.equal(env.DATABASE_URL_FILE, undefined)
    } else {
      t.match(spec, { replicas: 3, strategy: { rollingUpdate: { maxUnavailable: 0 } } })
      t.equal(one('PodDisruptionBudget')!.spec.maxUnavailable, 1)
      t.equal(env.DATABASE_URL_FILE, '/run/secrets/switchboard/database_url')
    }
  })
