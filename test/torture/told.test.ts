import t from 'tap'
import { wamid } from '../../src/sandbox/ids.ts'
import { turnedDown } from './fates.ts'
import { toldBy } from './told.ts'

t.test('whom a webhook is about is read from the id, for every number that a run writes to', async t => {
  const body = (to: string) => JSON.stringify({ eventType: 'sentMessageREAD', whatsappMessageId: wamid(to) })
  for (const to of ['491000000001', '499000000101', ...turnedDown])
    t.match(toldBy(Buffer.from(body(to))), [{ kind: 'read', to }])
})
