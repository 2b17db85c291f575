import { readFileSync } from 'node:fs'
import ipaddr from 'ipaddr.js'
import { misspelt } from './config-names.ts'
import { rangeNames, readAddress } from './ip.ts'
import { parseAllowList } from './upstream/address.ts'

/** How one setting is read. `parse` throws a sentence that says the rule, never the value. */
interface Setting<T> {
  parse: (text: string) => T
  default: T
  /** May be given as NAME_FILE, and is never printed. */
  secret?: true
}

const text: Setting<string | undefined>['parse'] = value => value
const whole =
  (min: number, max: number) =>
  (value: string): number => {
    const number = Number(value)
    if (!/^\d+$/.test(value) || number < min || number > max)
      throw new Error(`must be a whole number from ${min} to ${max}`)
    return number
  }
const flag = (value: string): boolean => {
  if (value !== '0' && value !== '1') throw new Error('must be 0 or 1')
  return value === '1'
}
const oneOf =
  <const T extends string>(...words: T[]) =>
  (value: string): T => {
    if (!(words as string[]).includes(value)) throw new Error(`must be one of ${words.join(', ')}`)
    return value as T
  }
const origin =
  (...protocols: string[]) =>
  (value: string): string => {
    const url = URL.canParse(value) ? new URL(value) : undefined
    if (!url || !protocols.includes(url.protocol))
      throw new Error(`must be a URL that begins with ${protocols.map(p => `${p}//`).join(' or ')}`)
    if (protocols[0] === 'https:' && (url.search || url.hash || url.username))
      throw new Error('must have no query, fragment or credentials')
    return value.replace(/\/$/, '')
  }
const list = (value: string): string[] =>
  value
    .split(',')
    .map(item => item.trim())
    .filter(Boolean)
const longSecret = (value: string): string => {
  if (!/^[\x21-\x7e]{32,512}$/.test(value)) throw new Error('must be 32 to 512 printable characters without spaces')
  return value
}
const printable = (value: string): string => {
  if (!/^[\x21-\x7e]{1,4096}$/.test(value)) throw new Error('must be printable characters without spaces')
  return value
}
/** Everything else in its query would be asked for at connection, where it replaces what we rely on or a pooler refuses it. */
const databaseParameters = new Set([
  ...['host', 'port', 'ssl', 'sslmode', 'sslcert', 'sslkey', 'sslrootcert', 'sslnegotiation', 'uselibpqcompat'],
  ...['channel_binding', 'target_session_attrs', 'application_name']
])
const databaseUrl = (value: string): string => {
  const url = origin('postgres:', 'postgresql:')(value)
  for (const name of new URL(url).searchParams.keys()) {
    if (databaseParameters.has(name)) continue
    // A name may be a value that landed in the wrong place.
    const known =
      /^(options|statement_timeout|lock_timeout|idle_in_transaction_session_timeout|query_timeout|client_encoding|replication)$/
    throw new Error(
      `has ${known.test(name) ? `the parameter ${name}` : 'a parameter'} that is not taken: only ${[...databaseParameters].join(', ')} are`
    )
  }
  return url
}
/** How many proxies stand before us, or whose addresses are believed. */
export type TrustProxy = number | string[]
const trustProxy = (value: string): TrustProxy => {
  if (/^\d$/.test(value)) return Number(value)
  const proxies = list(value)
  const known = (text: string) => rangeNames.includes(text) || readAddress(text) === text || ipaddr.isValidCIDR(text)
  if (!proxies.every(known))
    throw new Error('must be the number of proxies before us (0 to 9), or a list of addresses and CIDR ranges')
  return proxies
}
const egressAllow = (value: string): string[] => {
  const hosts = list(value)
  try {
    parseAllowList(hosts)
  } catch (error) {
    throw new Error((error as Error).message.replace(/^EGRESS_ALLOW /, ''))
  }
  return hosts
}

/** Of a proxy; it may carry a user and a password, so it is never shown. */
const proxyUrl = (value: string): string => {
  const url = URL.parse(value)
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.hostname === '')
    throw new Error('must be a URL that begins with http:// or https://, of a proxy that takes CONNECT')
  return url.href
}

/** `name=value,…`, the values percent-encoded, as OpenTelemetry has it. */
const otlpHeaders = (value: string): Record<string, string> => {
  const pairs = list(value).map(item => /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*([\x21-\x7e]*)$/.exec(item))
  if (!pairs.every(pair => pair !== null)) throw new Error('must be name=value, separated by commas')
  try {
    return Object.fromEntries(pairs.map(pair => [pair![1]!, decodeURIComponent(pair![2]!)]))
  } catch {
    throw new Error('must have its values percent-encoded')
  }
}

const setting = <T>(parse: (text: string) => T, fallback: T, secret?: true): Setting<T> => ({
  parse,
  default: fallback,
  ...(secret && { secret })
})
const optional = <T>(parse: (text: string) => T, secret?: true): Setting<T | undefined> =>
  setting<T | undefined>(parse, undefined, secret)

/** Every setting, by its name in the environment (docs/api.md 14). */
const settings = {
  MATON_API_KEY: optional(printable, true),
  SANDBOX: setting(flag, false),
  MATON_BASE_URL: setting(origin('https:', 'http:'), 'https://api.maton.ai'),
  MATON_CONTROL_URL: setting(origin('https:', 'http:'), 'https://api.maton.ai'),
  MATON_RATE_PER_SECOND: setting(whole(0, 10_000), 10),
  CHANNELS_FILE: optional(text),
  ADMIN_KEY: optional(longSecret, true),
  KEY_PEPPER: optional(longSecret, true),
  DATABASE_URL: optional(databaseUrl, true),
  DATA_DIR: setting<string>(value => value, './data'),
  HOST: setting<string>(value => value, '127.0.0.1'),
  PORT: setting(whole(0, 65_535), 3000),
  WEBHOOK_PORT: optional(whole(0, 65_535)),
  METRICS_PORT: optional(whole(0, 65_535)),
  METRICS_TOKEN: optional(longSecret, true),
  PUBLIC_URL: optional(origin('https:', 'http:')),
  UPSTREAM_TIMEOUT_MS: setting(whole(100, 300_000), 20_000),
  RETENTION_DAYS: setting(whole(0, 3650), 30),
  KEEP_ROWS_DAYS: setting(whole(8, 36_500), 400),
  MAX_CONNECTIONS: optional(whole(8, 1_000_000)),
  QUEUE_LIMIT: setting(whole(1, 10_000_000), 200_000),
  SHUTDOWN_DELAY_MS: setting(whole(0, 60_000), 0),
  AFTER_RESTORE: setting(flag, false),
  LOG_LEVEL: setting(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'), 'info'),
  LOG_PRETTY: setting(flag, false),
  TRUST_PROXY: setting<TrustProxy>(trustProxy, 0),
  HTTPS_PROXY: optional(proxyUrl),
  HTTP_PROXY: optional(proxyUrl),
  NO_PROXY: optional(text),
  EGRESS_ALLOW: setting(egressAllow, [] as string[]),
  OTEL_EXPORTER_OTLP_ENDPOINT: optional(origin('https:', 'http:')),
  OTEL_EXPORTER_OTLP_HEADERS: optional(otlpHeaders, true),
  OTEL_SERVICE_NAME: setting<string>(value => value, 'switchboard'),
  DOCS: setting(flag, true),
  CONSOLE: setting(flag, true)
} as const

/** The names of the settings that hold secrets, for whoever clears the environment after reading. */
export const secretNames: readonly string[] = Object.entries(settings).flatMap(([name, rule]) =>
  'secret' in rule && rule.secret ? [name] : []
)

type Settings = typeof settings
export type Config = { readonly [K in keyof Settings]: ReturnType<Settings[K]['parse']> | Settings[K]['default'] }

export class ConfigError extends Error {
  readonly faults: readonly string[]
  constructor(faults: string[]) {
    super(`the settings are not right:\n${faults.map(fault => `  - ${fault}`).join('\n')}`)
    this.name = 'ConfigError'
    this.faults = faults
  }
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads the settings once, with every fault of them, by the setting's name and never with a value. A setting that is
 * wrong has its default, so that whatever else can be wrong is found in the same look.
 */
export function readConfig(env: Environment): { config: Config; faults: string[] } {
  const faults: string[] = misspelt(env, Object.keys(settings), secretNames)
  const take = (name: string, rule: Setting<unknown>): unknown => {
    const value = fromEnvironment(name, rule, env, faults)
    if (value === undefined || value === '') return rule.default
    try {
      return rule.parse(value)
    } catch (error) {
      faults.push(`${name} ${(error as Error).message}`)
      return rule.default
    }
  }
  const config = Object.fromEntries(
    Object.entries(settings).map(([name, rule]) => [name, take(name, rule as Setting<unknown>)])
  ) as unknown as Config
  if (config.DATABASE_URL && !config.KEY_PEPPER) {
    faults.push(
      'KEY_PEPPER is required with DATABASE_URL: every replica must have the same (make one with: openssl rand -hex 32)'
    )
  }
  for (const [name, others] of [
    ['WEBHOOK_PORT', ['PORT']],
    ['METRICS_PORT', ['PORT', 'WEBHOOK_PORT']]
  ] as const) {
    const same = others.find(
      other => config[name] !== undefined && config[name] !== 0 && config[name] === config[other]
    )
    if (same) faults.push(`${name} must be another than ${same}: it is a listener of its own`)
  }
  if (config.SANDBOX && config.MATON_API_KEY) faults.push('SANDBOX is 1 and there is a MATON_API_KEY: keep one')
  if (config.RETENTION_DAYS > config.KEEP_ROWS_DAYS)
    faults.push('RETENTION_DAYS must not be more than KEEP_ROWS_DAYS: a message goes with its row')
  return { config: Object.freeze(config), faults }
}

/** The settings, for whoever has nothing else to check. Throws ConfigError with every fault at once. */
export function loadConfig(env: Environment): Config {
  const { config, faults } = readConfig(env)
  if (faults.length > 0) throw new ConfigError(faults)
  return config
}

function fromEnvironment(name: string, rule: Setting<unknown>, env: Environment, faults: string[]): string | undefined {
  // Nothing would mean the default: a secret that failed to be filled in would start sandbox mode, or make another.
  for (const empty of rule.secret ? [name, `${name}_FILE`] : [])
    if (env[empty] === '') faults.push(`${empty} is empty: give it a value, or leave it out`)
  const file = rule.secret ? env[`${name}_FILE`] : undefined
  // The proxies alone are written in lower case as often.
  if (!file)
    return env[name] || (name.endsWith('_PROXY') && name !== 'TRUST_PROXY' ? env[name.toLowerCase()] : undefined)
  if (env[name]) {
    faults.push(`${name} and ${name}_FILE are both set: keep one`)
    return undefined
  }
  try {
    return readSecretFile(name, file)
  } catch (error) {
    faults.push((error as Error).message)
    return undefined
  }
}

function readSecretFile(name: string, file: string): string {
  let value: string
  try {
    value = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    throw new Error(`${name}_FILE cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  if (value === '') throw new Error(`${name}_FILE is empty`)
  return value
}

/** Reads the key of the account again from its file. Throws a sentence that says what is wrong, never the value. */
export function readMatonKey(file: string): string {
  const key = readSecretFile('MATON_API_KEY', file)
  try {
    return printable(key)
  } catch (error) {
    throw new Error(`MATON_API_KEY ${(error as Error).message}`)
  }
}
