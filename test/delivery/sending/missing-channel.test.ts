import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { startSandbox } from '../../../src/sandbox/index.ts'
import { cloudSettings, matonKey, startBoard, until } from '../../helper.ts'

t.test('what was accepted for a channel that goes missing in the channels file waits until it is back', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-missing-'))
  const file = join(directory, 'channels')
  const declare = (...ids: string[]) =>
    writeFileSync(
      file,
      JSON.stringify({
        channels: ids.map(id => ({ id, provider: 'whatsapp-cloud', connectionId: 'c', settings: cloudSettings }))
      })
    )
  declare('shop', 'office')
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
  const board = await startBoard(t, { directory, sandbox, env: { CHANNELS_FILE: file } })
  t.teardown(async () => {
    await board.close()
    await sandbox.close()
    rmSync(directory, { recursive: true })
  })
  const sendAt = new Date(Date.now() + 1000).toISOString()
  const body = { channel: 'shop', to: '14155551234', type: 'text', text: { body: 'later' }, sendAt }
  const { id } = (await board.call('POST', '/messages', { body })).body
  const message = async () => (await board.call('GET', `/messages/${id}`)).body

  declare('office')
  await board.board.reload.run()
  t.match(board.log.join(''), /"channels":\["shop"\].*are missing in the channels file/)
  await until(
    () => Date.now(),
    now => now > Date.parse(sendAt)
  )
  t.match(await message(), { status: 'queued' })
  t.match((await board.call('GET', '/readyz')).body, { status: 'degraded' })

  // One that was in hand when its channel went has nothing in its way.
  const beside = new DatabaseSync(join(directory, 'switchboard.db'))
  beside.exec(`delete from blocks where key = 'channel/shop'`)
  beside.close()
  const words = async () => (await board.call('GET', `/messages/${id}/timeline`)).text
  await until(words, text => /does not exist any more/.test(text))
  t.match(await message(), { status: 'queued', attempts: 0 })

  declare('shop', 'office')
  await board.board.reload.run()
  t.match(await until(message, ({ status }) => !['queued', 'sending'].includes(status)), { status: 'accepted' })
  t.match((await board.call('GET', '/readyz')).body, { status: 'ok' })
})
