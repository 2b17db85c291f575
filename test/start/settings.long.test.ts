import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { cloudSettings } from '../helper.ts'
import { canary, live, pepper, place, refused, taken } from './starts.ts'

// What does not fit is refused, and by the name of the setting that does not (docs/reliability.md P50).

t.test('what would start a sandbox where somebody meant to send', async t => {
  const directory = place(t)
  const data = { DATA_DIR: directory }
  await refused(t, { ...data, MATON_API_KEY: '' }, /MATON_API_KEY is empty/)
  await refused(t, { ...data, MATON_API_KEY_FILE: '' }, /MATON_API_KEY_FILE is empty/)
  await refused(
    t,
    { ...data, MATON_API_KEY_FIEL: canary },
    /MATON_API_KEY_FIEL is not a setting: is MATON_API_KEY_FILE/
  )
  const channels = join(directory, 'channels.json')
  writeFileSync(channels, JSON.stringify({ channels: [] }))
  await refused(
    t,
    { ...data, CHANNELS_FILE: channels },
    /MATON_API_KEY is missing, and there is CHANNELS_FILE.*SANDBOX=1/
  )
  await refused(
    t,
    { ...data, DATABASE_URL: `postgres://u:${canary}@127.0.0.1:9/x`, KEY_PEPPER: pepper },
    /MATON_API_KEY is missing, and there is DATABASE_URL/
  )
  await refused(t, { ...data, ...live, SANDBOX: '1' }, /SANDBOX is 1 and there is a MATON_API_KEY/)
  await taken(t, { ...data, CHANNELS_FILE: channels, SANDBOX: '1' }, 'sandbox mode that is meant')
})

t.test('all faults are told at once, those of the channels file, the address and the folder too', async t => {
  const directory = place(t)
  const channels = join(directory, 'channels.json')
  const wrong = [
    { id: 'a', provider: 'wati', connectionId: 'c', settings: { odd: canary } },
    { id: 'a', provider: 'nobody', connectionId: 'c' },
    {
      id: 'b',
      provider: 'whatsapp-cloud',
      connectionId: 'c',
      settings: { ...cloudSettings, appSecretFile: '/nowhere' }
    }
  ]
  writeFileSync(channels, JSON.stringify({ channels: wrong }))
  writeFileSync(join(directory, 'a-file'), '')
  const other = createServer()
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
  t.teardown(() => other.close())
  const taken = String((other.address() as { port: number }).port)
  const env = {
    MATON_APIKEY: canary,
    ADMIN_KEY: canary,
    CHANNELS_FILE: channels,
    DATA_DIR: join(directory, 'a-file', 'data'),
    TRUST_PROXY: canary
  }
  const common = [
    /- MATON_APIKEY is not a setting: is MATON_API_KEY meant/,
    /- ADMIN_KEY must be/,
    /- TRUST_PROXY must be/,
    /- CHANNELS_FILE \/channels\/0\/settings\/odd is not a setting of this provider/,
    /- CHANNELS_FILE \/channels\/1\/provider must be one of/,
    /- CHANNELS_FILE \/channels\/1\/id a is there twice/,
    /- CHANNELS_FILE \/channels\/2\/settings\/appSecretFile cannot be read \(ENOENT\)/,
    /- DATA_DIR cannot be written to \(ENOTDIR\)/
  ]
  await refused(
    t,
    { ...env, HOST: '203.0.113.77' },
    ...common,
    /- HOST is no address that this machine can listen on \(EADDRNOTAVAIL\)/
  )
  await refused(t, { ...env, HOST: '127.0.0.1', PORT: taken }, ...common, /- PORT is taken by another process/)
})
