import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'

// A provider that tells of each message it is told the id of: sent, delivered and read, a moment apart. A process of its own,
// so that the load does not wait for it: `node bench/provider.ts door numberId accountId`, started by bench/webhooks.ts.
const [door, numberId, accountId] = process.argv.slice(2) as [string, string, string]
const dispatcher = new Agent({ connections: 16 })
const metadata = { display_phone_number: '15550783881', phone_number_id: numberId }

const tell = async (id: string, status: string): Promise<void> => {
  const statuses = [{ id, status, timestamp: String(Math.floor(Date.now() / 1000)), recipient_id: '14155551234' }]
  const value = { messaging_product: 'whatsapp', metadata, statuses }
  const entry = [{ id: accountId, changes: [{ field: 'messages', value }] }]
  const answer = await request(door, {
    method: 'POST',
    dispatcher,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ object: 'whatsapp_business_account', entry })
  })
  await answer.body.dump()
  if (answer.statusCode !== 200) throw new Error(`a webhook was answered ${answer.statusCode}`)
}

process.on('message', async (id: string) => {
  for (const status of ['sent', 'delivered', 'read']) {
    await sleep(100 * Math.random())
    await tell(id, status)
  }
  process.send!(id)
})
process.on('disconnect', () => process.exit())
