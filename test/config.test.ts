import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Config, ConfigError, loadConfig, secretNames } from '../src/config.ts'

const faults = (env: Record<string, string>): readonly string[] => {
  try {
    loadConfig(env)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.faults
  }
}

t.test('without any setting the defaults are those of the contract', async t => {
  t.strictSame(loadConfig({}), {
    MATON_API_KEY: undefined,
    SANDBOX: false,
    MATON_BASE_URL: 'https://api.maton.ai',
    MATON_CONTROL_URL: 'https://api.maton.ai',
    MATON_RATE_PER_SECOND: 10,
    CHANNELS_FILE: undefined,
    ADMIN_KEY: undefined,
    KEY_PEPPER: undefined,
    DATABASE_URL: undefined,
    DATA_DIR: './data',
    HOST: '127.0.0.1',
    PORT: 3000,
    WEBHOOK_PORT: undefined,
    METRICS_PORT: undefined,
    METRICS_TOKEN: undefined,
    PUBLIC_URL: undefined,
    UPSTREAM_TIMEOUT_MS: 20_000,
    RETENTION_DAYS: 30,
    KEEP_ROWS_DAYS: 400,
    MAX_CONNECTIONS: undefined,
    QUEUE_LIMIT: 200_000,
    SHUTDOWN_DELAY_MS: 0,
    AFTER_RESTORE: false,
    LOG_LEVEL: 'info',
    LOG_PRETTY: false,
    OTEL_EXPORTER_OTLP_ENDPOINT: undefined,
    OTEL_EXPORTER_OTLP_HEADERS: undefined,
    OTEL_SERVICE_NAME: 'switchboard',
    CONSOLE: true,
    TRUST_PROXY: 0,
    HTTPS_PROXY: undefined,
    HTTP_PROXY: undefined,
    NO_PROXY: undefined,
    EGRESS_ALLOW: [],
    DOCS: true
  })
  t.ok(Object.isFrozen(loadConfig({})), 'nobody changes them')
  t.strictSame(loadConfig({ PORT: '', PUBLIC_URL: '', UNRELATED: 'x' }), loadConfig({}), 'empty is not given')
  for (const name of secretNames.flatMap(name => [name, `${name}_FILE`]))
    t.match(faults({ KEY_PEPPER: 'p'.repeat(32), [name]: '' })[0], `${name} is empty`, 'but an empty secret is a fault')
})

const canary = 'canary-3f9a'
/** A wrong value for every setting that can have one. */
const wrong: Partial<Record<keyof Config, string[]>> = {
  MATON_API_KEY: [`${canary} with a space`, `${canary}\n${canary}`, `${canary}é`, canary.repeat(500)],
  MATON_BASE_URL: [canary, `ftp://${canary}`, `https://user:${canary}@example.com`, `https://example.com?${canary}`],
  MATON_CONTROL_URL: [`file:///${canary}`],
  MATON_RATE_PER_SECOND: [canary, '-1', '1.5', '10001', '1e3', ' 5'],
  ADMIN_KEY: [canary, `${canary} ${'x'.repeat(40)}`],
  KEY_PEPPER: [canary],
  DATABASE_URL: [
    ...[`mysql://root:${canary}@db/x`, canary, `postgres://db/x?options=-c%20synchronous_commit%3Doff&a=${canary}`],
    ...[`postgres://db/x?statement_timeout=0`, `postgres://db/x?${canary}=1`]
  ],
  PORT: [canary, '65536', '-1', '0x10'],
  PUBLIC_URL: [canary, `https://x:${canary}@example.com`],
  UPSTREAM_TIMEOUT_MS: ['99', '300001', canary],
  RETENTION_DAYS: [canary, '3651', '-1', '401'],
  KEEP_ROWS_DAYS: [canary, '7', '-1'],
  SANDBOX: [canary, 'true'],
  MAX_CONNECTIONS: [canary, '7', '1000001'],
  QUEUE_LIMIT: [canary, '0', '10000001'],
  AFTER_RESTORE: [canary, 'yes', '2'],
  SHUTDOWN_DELAY_MS: ['60001', canary],
  LOG_LEVEL: ['verbose', canary],
  TRUST_PROXY: [canary, 'true', '10', '10.0.0.0/33'],
  EGRESS_ALLOW: [`https://${canary}`, `10.0.0.0/33,${canary}.`, '169.254.169.254'],
  DOCS: [canary, 'yes']
}

t.test('a wrong value is named by its setting and never repeated', async t => {
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const found = faults({ [name]: value, KEY_PEPPER: name === 'KEY_PEPPER' ? value : 'p'.repeat(32) })
      t.equal(found.length, 1, `${name} ${value.slice(0, 30)}`)
      t.ok(found[0]!.startsWith(`${name} `), found[0]!)
      t.notMatch(found[0], canary, 'never with a value')
    }
  }
  const all = Object.fromEntries(Object.entries(wrong).map(([name, [value]]) => [name, value!]))
  const found = faults(all)
  for (const name of Object.keys(all))
    t.ok(
      found.some(fault => fault.startsWith(`${name} `)),
      `${name}: every fault at once`
    )
  t.throws(() => loadConfig(all), { message: /the settings are not right:\n {2}- MATON_API_KEY/ })
  t.match(canary, canary, 'POSITIVE CONTROL: the canary is one that the look above would find')
})

t.test('right values of every form are taken', async t => {
  t.match(
    loadConfig({
      MATON_BASE_URL: 'http://127.0.0.1:8080/maton/',
      MATON_RATE_PER_SECOND: '0',
      PORT: '0',
      DOCS: '0',
      TRUST_PROXY: 'loopback, 10.0.0.0/8,2001:db8::1',
      EGRESS_ALLOW: ' files.example.com, 10.1.0.0/16 ,127.0.0.1:8080',
      PUBLIC_URL: 'https://example.com/base/',
      DATABASE_URL: 'postgres://user:pass@db:5432/switchboard?sslmode=require',
      KEY_PEPPER: 'p'.repeat(32)
    }),
    {
      MATON_BASE_URL: 'http://127.0.0.1:8080/maton',
      MATON_RATE_PER_SECOND: 0,
      PORT: 0,
      DOCS: false,
      TRUST_PROXY: ['loopback', '10.0.0.0/8', '2001:db8::1'],
      EGRESS_ALLOW: ['files.example.com', '10.1.0.0/16', '127.0.0.1:8080'],
      PUBLIC_URL: 'https://example.com/base'
    }
  )
  t.equal(loadConfig({ TRUST_PROXY: '2' }).TRUST_PROXY, 2)
  t.match(faults({ DATABASE_URL: 'postgres://db/x' }), [/^KEY_PEPPER is required with DATABASE_URL/])
  t.match(loadConfig({}), { AFTER_RESTORE: false, RETENTION_DAYS: 30, QUEUE_LIMIT: 200_000 })
  t.match(loadConfig({ AFTER_RESTORE: '1', RETENTION_DAYS: '0', QUEUE_LIMIT: '5' }), {
    AFTER_RESTORE: true,
    RETENTION_DAYS: 0,
    QUEUE_LIMIT: 5
  })
})

t.test('a secret may come from a file, and only from one place', async t => {
  const directory = t.testdir()
  const at = (name: string, content: string) => {
    writeFileSync(join(directory, name), content)
    return join(directory, name)
  }
  const secrets: Record<string, string> = {
    MATON_API_KEY: canary,
    ADMIN_KEY: canary.repeat(4),
    KEY_PEPPER: canary.repeat(5),
    DATABASE_URL: `postgres://u:${canary}@db/x`,
    METRICS_TOKEN: canary.repeat(3),
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${canary}`
  }
  t.strictSame(Object.keys(secrets).sort(), [...secretNames].sort(), 'every secret')
  for (const end of ['', '\n', '\r\n']) {
    const env = Object.fromEntries(
      Object.entries(secrets).map(([name, value]) => [`${name}_FILE`, at(name, value + end)])
    )
    const headers = { OTEL_EXPORTER_OTLP_HEADERS: { authorization: `Bearer ${canary}` } }
    t.match(loadConfig(env), { ...secrets, ...headers }, `a line end (${JSON.stringify(end)}) is no part of it`)
  }
  for (const [name, value] of Object.entries(secrets)) {
    const others = { KEY_PEPPER: secrets.KEY_PEPPER!, [name]: value }
    const both = faults({ ...others, [`${name}_FILE`]: at(name, value) })
    t.match(both, [`${name} and ${name}_FILE are both set: keep one`])
    const only: Record<string, string> = name === 'KEY_PEPPER' ? {} : { KEY_PEPPER: secrets.KEY_PEPPER! }
    t.match(faults({ ...only, [`${name}_FILE`]: join(directory, 'nowhere') }), [`${name}_FILE cannot be read (ENOENT)`])
    t.match(faults({ ...only, [`${name}_FILE`]: directory }), [`${name}_FILE cannot be read (EISDIR)`])
    for (const empty of ['', '\n'])
      t.match(
        faults({ ...only, [`${name}_FILE`]: at(name, empty) }),
        [`${name}_FILE is empty`],
        'a secret that was not mounted is no default'
      )
    t.notMatch(faults({ ...only, [`${name}_FILE`]: at(name, `${canary} two words`) }).join(), canary)
  }
  t.match(faults({ PORT_FILE: at('port', '1') }), [/^PORT_FILE is not a setting: only secrets/])
})

t.test('the start itself says no more than that', async t => {
  const { spawn } = await import('node:child_process')
  const child = spawn(process.execPath, [new URL('../src/server.ts', import.meta.url).pathname], {
    env: { PATH: process.env.PATH, ADMIN_KEY: canary, PORT: canary, DATA_DIR: t.testdir() },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (output += chunk))
  const code = await new Promise(resolve => child.once('close', resolve))
  t.equal(code, 1)
  t.match(output, /- ADMIN_KEY must be.*\n.*- PORT must be/)
  t.notMatch(output, canary)
  t.notMatch(output, /\n\s+at /, 'no stack')
  t.ok(readFileSync(new URL('../src/server.ts', import.meta.url), 'utf8').includes('delete process.env[name]'))
})

t.test('a name that is one of ours misspelt says which one is meant; others’ names are left alone', async t => {
  const slips: Record<string, string> = {
    MATON_API_KEY_FIEL: 'MATON_API_KEY_FILE',
    MATON_APIKEY: 'MATON_API_KEY',
    maton_api_key: 'MATON_API_KEY',
    MATON_KEY: 'MATON_API_KEY',
    MATON_TOKEN: 'MATON_API_KEY',
    CHANNEL_FILE: 'CHANNELS_FILE',
    DATABSE_URL: 'DATABASE_URL',
    DATABASE_URI: 'DATABASE_URL',
    DATADIR: 'DATA_DIR',
    TRUSTED_PROXY: 'TRUST_PROXY',
    TRUST_PROXIES: 'TRUST_PROXY',
    SANBOX: 'SANDBOX',
    HSOT: 'HOST',
    KEEP_ROW_DAYS: 'KEEP_ROWS_DAYS',
    LOGLEVEL: 'LOG_LEVEL',
    METRICS_PROT: 'METRICS_PORT',
    MAX_CONECTIONS: 'MAX_CONNECTIONS',
    WEBHOOKS_PORT: 'WEBHOOK_PORT'
  }
  for (const [slip, meant] of Object.entries(slips))
    t.strictSame(
      faults({ [slip]: canary }).map(fault => fault.replace(canary, 'A VALUE')),
      [`${slip} is not a setting: is ${meant} meant?`]
    )
  for (const other of [
    ...['HOME', 'HOSTNAME', 'PORTS', 'HOSTS', 'DOC', 'host', 'PATH', 'NODE_ENV', 'http_proxy', 'NO_PROXY', 'FTP_PROXY'],
    ...[
      'DATABASE_USER',
      'DATABASE_PASSWORD',
      'LOGNAME',
      'LOG_FORMAT',
      'SSL_CERT_FILE',
      'OTEL_SERVICE_NAME',
      'X'.repeat(9)
    ],
    ...['OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_TRACES_SAMPLER', 'HTTPS_PROXY', 'npm_config_cache', '_']
  ])
    t.strictSame(faults({ [other]: /_proxy$/i.test(other) ? 'http://proxy.example:3128' : 'x' }), [], other)
  const service = { WEBHOOKS_SERVICE_HOST: '10.0.0.1', WEBHOOKS_PORT: 'tcp://10.0.0.1:80', WEBHOOKS_SERVICE_PORT: '80' }
  t.strictSame(faults(service), [], 'nor what Kubernetes says of a Service that happens to have such a name')
})
