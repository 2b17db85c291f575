import { parseArgs } from 'node:util'
import { Ajv } from 'ajv'
import formats from 'ajv-formats'
import { CreateKey, type Key, type KeyWithSecret, Quota, RateLimit } from '../../schemas/keys.ts'
import { longestOverlapSeconds } from '../../schemas/rotation.ts'
import { ConfigError } from '../config.ts'
import { inStore, type KeyAccess, overHttp, Refused } from './keys-access.ts'

// `npm run keys`: keys, for the terminal of whoever runs the server. With SWITCHBOARD_KEY it asks the running server; without,
// it opens the store that the settings name. No secret stands on its command line, where everybody on the machine sees it.

const usage = `npm run keys -- list [--service NAME] [--unused-days N]
npm run keys -- make --service NAME --mode live|test --scopes A,B [options]
npm run keys -- rotate KEY_ID [--overlap SECONDS]     another secret; the old one counts on for a day, or so long
npm run keys -- old [--service NAME]                  who still uses a secret that was rotated: when and from where
npm run keys -- end KEY_ID SECRET_ID                  end such a secret before its time
npm run keys -- revoke KEY_ID                         end a key with all its secrets

make takes: --name TEXT --channels A,B --templates A,B --prefixes 49,DE. --cidrs 10.0.0.0/8 --default-channel ID
  --expires INSTANT --per-second N --burst N --per-day N --time-zone NAME

With an admin key in SWITCHBOARD_KEY the running server is asked, at SWITCHBOARD_URL (http://127.0.0.1:3000). Without, the
store of the server's own settings (DATA_DIR or DATABASE_URL, KEY_PEPPER) is opened: one in DATA_DIR only while the server
is stopped. On a pipe each line is JSON. A new secret is printed this once.`

const text = { type: 'string' } as const
const options = {
  ...{
    service: text,
    mode: text,
    scopes: text,
    name: text,
    channels: text,
    templates: text,
    prefixes: text,
    cidrs: text
  },
  ...{ 'default-channel': text, expires: text, 'per-second': text, burst: text, 'per-day': text, 'time-zone': text },
  ...{ overlap: text, 'unused-days': text, help: { type: 'boolean' } as const }
}
type Values = Partial<Record<Exclude<keyof typeof options, 'help'>, string>>

const number = (name: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  if (!/^\d+(\.\d+)?$/.test(text)) throw new Refused(`--${name} must be a number.`)
  return Number(text)
}
const list = (text: string | undefined): string[] | undefined => text?.split(',').map(item => item.trim())
/** Without what is not given: absent is no restriction. */
const given = (members: Record<string, unknown>): Record<string, unknown> | undefined => {
  const there = Object.entries(members).filter(([, value]) => value !== undefined)
  return there.length > 0 ? Object.fromEntries(there) : undefined
}

/** The key that the options describe, held against the schema of the API. */
function wanted(values: Values): CreateKey {
  const { service, mode, scopes, name, channels, templates, prefixes, cidrs, expires } = values
  const input = given({
    ...{ service, mode, name, scopes: list(scopes), channels: list(channels), templates: list(templates) },
    ...{ recipientPrefixes: list(prefixes), cidrs: list(cidrs), expiresAt: expires },
    defaultChannel: values['default-channel'],
    rateLimit: given({ perSecond: number('per-second', values['per-second']), burst: number('burst', values.burst) }),
    quota: given({ perDay: number('per-day', values['per-day']), timeZone: values['time-zone'] })
  })
  const ajv = new Ajv({ strict: false, schemas: [RateLimit, Quota] })
  // The package is CommonJS: its function is the default member of what is imported.
  ;(formats as unknown as (ajv: Ajv) => void)(ajv)
  if (!ajv.validate(CreateKey, input)) {
    const { instancePath, message, params } = ajv.errors![0]!
    const { allowedValues } = params as { allowedValues?: string[] }
    const words = allowedValues ? `must be one of ${allowedValues.join(', ')}` : message
    throw new Refused(`make: ${instancePath.slice(1)} ${words}. See npm run keys -- --help`.replace('  ', ' '))
  }
  return input as CreateKey
}

const terminal = process.stdout.isTTY
const print = (line: string): void => void process.stdout.write(`${line}\n`)
const day = (instant: string | null | undefined): string => instant?.slice(0, 16).replace('T', ' ') ?? '-'
const state = ({ revokedAt, expiresAt }: Key): string => {
  if (revokedAt) return 'revoked'
  return expiresAt && Date.parse(expiresAt) <= Date.now() ? 'expired' : 'valid'
}
const columns = (cells: string[], widths: number[]): string =>
  cells
    .map((cell, i) => cell.padEnd(widths[i] ?? 0))
    .join('  ')
    .trimEnd()
const widths = [36, 20, 5, 8, 17]

function tell(key: KeyWithSecret, sentence: string): void {
  if (!terminal) {
    print(JSON.stringify(key))
    return
  }
  print(`${sentence} ${key.id}, of ${key.service} (${key.mode}). The secret, shown this once; keep it like a password:`)
  print(key.secret)
}

async function showKeys(keys: KeyAccess, values: Values): Promise<void> {
  const days = number('unused-days', values['unused-days'])
  const since = days === undefined ? undefined : new Date(Date.now() - days * 86_400_000).toISOString()
  if (terminal) print(columns(['key', 'service', 'mode', 'state', 'last used (UTC)', 'name'], widths))
  for await (const key of keys.list({
    ...(values.service && { service: values.service }),
    ...(since && { unusedSince: since })
  }))
    if (!terminal) print(JSON.stringify(key))
    else print(columns([key.id, key.service, key.mode, state(key), day(key.lastUsedAt), key.name ?? ''], widths))
}

async function showOld(keys: KeyAccess, values: Values): Promise<void> {
  if (terminal)
    print(columns(['key', 'service', 'ends (UTC)', 'last used (UTC)', 'from', 'secret'], [36, 20, 17, 17, 39]))
  for await (const key of keys.list(values.service ? { service: values.service } : {}))
    for (const secret of state(key) === 'valid' ? key.secrets.slice(1) : []) {
      const { id, lastFour, expiresAt, lastUsedAt, lastUsedFrom } = secret
      const { id: keyId, service, name } = key
      if (!terminal)
        print(JSON.stringify({ key: keyId, service, name, secret: id, lastFour, expiresAt, lastUsedAt, lastUsedFrom }))
      else
        print(
          columns(
            [keyId, service, day(expiresAt), day(lastUsedAt), lastUsedFrom ?? '-', `${id} …${lastFour}`],
            [36, 20, 17, 17, 39]
          )
        )
    }
}

const commands: Record<
  string,
  { ids: number; run: (keys: KeyAccess, ids: string[], values: Values) => Promise<void> }
> = {
  list: { ids: 0, run: (keys, _, values) => showKeys(keys, values) },
  old: { ids: 0, run: (keys, _, values) => showOld(keys, values) },
  make: { ids: 0, run: async (keys, _, values) => tell(await keys.make(wanted(values)), 'Made the key') },
  rotate: {
    ids: 1,
    run: async (keys, [id], { overlap }) => {
      const seconds = number('overlap', overlap)
      if (seconds !== undefined && (!Number.isInteger(seconds) || seconds > longestOverlapSeconds))
        throw new Refused(`--overlap must be whole seconds, at most ${longestOverlapSeconds}.`)
      tell(await keys.rotate(id!, seconds), 'Rotated the key')
    }
  },
  end: {
    ids: 2,
    run: async (keys, [id, secret]) => {
      await keys.endSecret(id!, secret!)
      print(
        terminal ? `The secret ${secret} of ${id} counts no more.` : JSON.stringify({ key: id, secret, ended: true })
      )
    }
  },
  revoke: {
    ids: 1,
    run: async (keys, [id]) => {
      await keys.revoke(id!)
      print(terminal ? `The key ${id} is revoked.` : JSON.stringify({ key: id, revoked: true }))
    }
  }
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options })
  const [name = '', ...ids] = positionals
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (values.help || !command || command.ids !== ids.length) {
    ;(values.help ? process.stdout : process.stderr).write(`${usage}\n`)
    return values.help ? 0 : 2
  }
  if (ids.some(id => /^sk_/.test(id)))
    throw new Refused(
      'That is a secret, and this takes ids: key_…, sec_…. Rotate the key of the secret, since a command line is seen by everybody.'
    )
  const { SWITCHBOARD_KEY: key, SWITCHBOARD_URL: url = 'http://127.0.0.1:3000' } = process.env
  const keys = key ? overHttp(url.replace(/\/$/, ''), key) : await inStore(process.env)
  try {
    await command.run(keys, ids, values as Values)
    return 0
  } finally {
    await keys.close()
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  const { message } = error as Error
  const busy = /another Switchboard runs/.test(message)
  process.stderr.write(`${message}${busy ? '\nOr ask the running one: SWITCHBOARD_KEY with an admin key.' : ''}\n`)
  process.exitCode =
    error instanceof ConfigError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1
}
