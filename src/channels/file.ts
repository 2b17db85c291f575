import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'

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

/**
 * Reads CHANNELS_FILE, JSON or YAML (which JSON is part of).
 * @param secretsOf the names of a provider's secret settings: each may be given as a file that holds it, `<name>File`
 * @throws Error naming every fault of form at once; whether the settings suit the provider is judged later
 */
export async function readChannelsFile(
  path: string,
  secretsOf: (provider: string) => string[]
): Promise<DeclaredChannel[]> {
  const { parse } = await import('yaml')
  let content: unknown
  try {
    content = parse(readFileSync(path, 'utf8'))
  } catch (error) {
    // A fault of YAML has a code too, but only its message says where.
    const { errno, code, message } = error as NodeJS.ErrnoException
    throw new Error(`CHANNELS_FILE cannot be read: ${errno === undefined ? message.split('\n')[0] : code}`)
  }
  const validate = new Ajv({ allErrors: true }).compile<{ channels: DeclaredChannel[] }>(inFile)
  if (validate(content)) return withSecrets(content.channels, secretsOf)
  const faults = (validate.errors ?? []).map(
    error =>
      `  - ${error.instancePath || '/'} ${error.message}${error.params.additionalProperty ? `: ${error.params.additionalProperty}` : ''}`
  )
  throw new Error(`CHANNELS_FILE is not right:\n${faults.join('\n')}`)
}

/** The channels with the secrets that stand in files of their own. Throws one error that names every fault, never a value. */
function withSecrets(channels: DeclaredChannel[], secretsOf: (provider: string) => string[]): DeclaredChannel[] {
  const faults: string[] = []
  const filled = channels.map((channel, i) => {
    const settings = { ...channel.settings }
    for (const name of secretsOf(channel.provider)) {
      const file = settings[`${name}File`]
      if (typeof file !== 'string') continue
      const at = `/channels/${i}/settings/${name}`
      delete settings[`${name}File`]
      if (name in settings) faults.push(`  - ${at} and ${at}File are both set: keep one`)
      try {
        const value = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
        if (value === '') faults.push(`  - ${at}File is empty`)
        settings[name] = value
      } catch (error) {
        faults.push(`  - ${at}File cannot be read (${(error as NodeJS.ErrnoException).code})`)
      }
    }
    return { ...channel, settings }
  })
  if (faults.length > 0) throw new Error(`CHANNELS_FILE is not right:\n${faults.join('\n')}`)
  return filled
}
