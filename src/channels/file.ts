import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import type { SettingsCheck } from './settings.ts'

const inFile = {
  type: 'object',
  required: ['channels'],
  additionalProperties: false,
  properties: {
    channels: {
      type: 'array',
      items: {
        type: 'object',
        required: ['id', 'provider', 'connectionId'],
        additionalProperties: false,
        properties: {
          id: { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' },
          provider: { type: 'string' },
          connectionId: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,128}$' },
          settings: { type: 'object' },
          default: { type: 'boolean' }
        }
      }
    }
  }
}

export interface DeclaredChannel {
  id: string
  provider: string
  connectionId: string
  settings?: Record<string, unknown>
  default?: boolean
}

/** What stands in a channels file, and every fault of it as a sentence; with a fault nothing of it may be used. */
export interface ChannelsFile {
  declared: DeclaredChannel[]
  faults: string[]
}

/** What of the settings' check is needed here. */
type Check = Pick<SettingsCheck, 'faultsOf' | 'secretsOf'>

/**
 * Reads CHANNELS_FILE, JSON or YAML (which JSON is part of). A secret may be given as a file that holds it, `<name>File`.
 * No fault repeats a value.
 */
export async function readChannelsFile(path: string, check: Check): Promise<ChannelsFile> {
  const { parse } = await import('yaml')
  let content: unknown
  try {
    content = parse(readFileSync(path, 'utf8'))
  } catch (error) {
    // A fault of YAML has a code too, but only its message says where.
    const { errno, code, message } = error as NodeJS.ErrnoException
    return { declared: [], faults: [`cannot be read: ${errno === undefined ? message.split('\n')[0] : code}`] }
  }
  const validate = new Ajv({ allErrors: true }).compile<{ channels: DeclaredChannel[] }>(inFile)
  if (!validate(content))
    return {
      declared: [],
      faults: (validate.errors ?? []).map(
        ({ instancePath, message, params }) =>
          `${instancePath || '/'} ${message}${params.additionalProperty ? `: ${params.additionalProperty}` : ''}`
      )
    }
  const faults: string[] = []
  const declared = content.channels.map((channel, i) => withSecrets(channel, `/channels/${i}/settings`, check, faults))
  for (const [i, { provider, settings }] of declared.entries())
    for (const fault of check.faultsOf(provider, settings, `/channels/${i}/settings`))
      faults.push(`${fault.path} ${fault.message}`)
  const ids = declared.map(({ id }) => id)
  for (const [i, id] of ids.entries()) if (ids.indexOf(id) !== i) faults.push(`/channels/${i}/id ${id} is there twice`)
  if (declared.filter(channel => channel.default).length > 1) faults.push('/channels only one may be the default')
  return { declared, faults }
}

/** A channel with the secrets that stand in files of their own. */
function withSecrets(channel: DeclaredChannel, at: string, { secretsOf }: Check, faults: string[]) {
  const settings = { ...channel.settings }
  for (const name of secretsOf(channel.provider)) {
    const file = settings[`${name}File`]
    if (typeof file !== 'string') continue
    delete settings[`${name}File`]
    if (name in settings) faults.push(`${at}/${name} and ${at}/${name}File are both set: keep one`)
    try {
      const value = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
      if (value === '') faults.push(`${at}/${name}File is empty`)
      settings[name] = value
    } catch (error) {
      faults.push(`${at}/${name}File cannot be read (${(error as NodeJS.ErrnoException).code})`)
    }
  }
  return { ...channel, settings }
}
