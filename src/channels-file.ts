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
 * @throws Error naming every fault of form at once; whether the settings suit the provider is judged later
 */
export async function readChannelsFile(path: string): Promise<DeclaredChannel[]> {
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
  if (validate(content)) return content.channels
  const faults = (validate.errors ?? []).map(
    error =>
      `  - ${error.instancePath || '/'} ${error.message}${error.params.additionalProperty ? `: ${error.params.additionalProperty}` : ''}`
  )
  throw new Error(`CHANNELS_FILE is not right:\n${faults.join('\n')}`)
}
