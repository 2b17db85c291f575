import type { AnyAdapter } from '../adapters/adapter.ts'
import type { Config } from '../config.ts'
import { demoChannelsOf, makeDemoChannels, makeDemoKey } from './demo.ts'
import type { Switchboard } from './switchboard.ts'

export interface Greeting {
  adapters: ReadonlyMap<string, AnyAdapter>
  /** What can become of a message in the sandbox, by a name each. */
  fates: () => Promise<string[]>
  /** Where callers reach us. */
  address: string
}

/** Names in lines that a terminal does not break. */
function inLines(names: readonly string[]): string[] {
  const lines: string[] = []
  for (const name of names) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + name.length < 96) lines[lines.length - 1] = `${last}, ${name}`
    else lines.push(`    ${name}`)
  }
  return lines
}

/**
 * A first administrator, or in sandbox mode a fresh demo key and the demo channels: what a newcomer needs, printed once.
 * @returns the lines to print
 */
export async function welcome(
  board: Switchboard,
  config: Config,
  { adapters, fates, address }: Greeting
): Promise<string[]> {
  const lines: string[] = []
  const { keyring, channels } = board.app
  if (!config.ADMIN_KEY) {
    const made = await keyring.createFirst({ service: 'admin', name: 'first key', mode: 'live', scopes: ['admin'] })
    if (made) lines.push('The first admin key, shown this once; keep it like a password:', `  ADMIN=${made.secret}`)
  }
  if (!board.sandboxMode) return lines
  await makeDemoChannels(channels, demoChannelsOf(adapters.values()))
  // Where this is the only process, none of those before it can still be there.
  if (board.alone) await keyring.endStarted('demo')
  const { id, secret } = await makeDemoKey(keyring, board.clock())
  board.atEnd(async () => void (await keyring.revoke(id, null)))
  return [
    '',
    '  SANDBOX MODE: there is no MATON_API_KEY, so nothing leaves this machine and nobody receives anything.',
    '',
    ...lines,
    'A test key for service demo, new on each start:',
    `  KEY=${secret}`,
    `API description to try it in:  ${address}/docs`,
    'A first message:',
    `  curl -sS ${address}/messages -H 'Authorization: Bearer ${secret}' -H 'Content-Type: application/json' \\`,
    `    -d '{"channel":"demo-cloud","to":"+1 415 555 1234","type":"text","text":{"body":"Hello"}}'`,
    'It is delivered and read within seconds; sent to +15550100111 it is answered. Other numbers have another fate',
    `(${address}/sandbox lists them):`,
    ...inLines(await fates()),
    'What came in:',
    `  curl -sS '${address}/messages?direction=inbound' -H 'Authorization: Bearer ${secret}'`,
    ''
  ]
}
