import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startSandbox } from '../../src/sandbox/index.ts'
import { adminKey, cloudSettings, matonKey, until } from '../helper.ts'
import { serve } from '../process.ts'
import { fields, form, formType, table } from './order.ts'

const headers = { authorization: `Bearer ${adminKey}` }

const gone = (child: ChildProcess) => new Promise(resolve => child.once('exit', resolve))
const messages = async (url: string): Promise<number> => {
  const answer = await fetch(`${url}/messages?limit=1`, { headers })
  return answer.status === 200 ? ((await answer.json()) as { items: unknown[] }).items.length : -1
}

t.test(
  'killed while a table is being stored, nothing of it is there after the next start and nobody was written to',
  async t => {
    const directory = mkdtempSync(join(tmpdir(), 'switchboard-kill-'))
    const sandbox = await startSandbox({ apiKey: matonKey })
    const channel = { id: 'cloud', provider: 'whatsapp-cloud', connectionId: 'c', settings: cloudSettings }
    writeFileSync(join(directory, 'channels.json'), JSON.stringify({ channels: [channel] }))
    const children: ChildProcess[] = []
    t.teardown(async () => {
      for (const child of children) child.kill('SIGKILL')
      await sandbox.close()
      rmSync(directory, { recursive: true, force: true })
    })
    const first = await serve(directory, sandbox.url)
    children.push(first.child)
    const upload = (url: string, count: number) =>
      fetch(`${url}/broadcasts`, {
        method: 'POST',
        headers: { ...headers, ...formType },
        body: new Uint8Array(form(fields, table(count)))
      })
    const lost = upload(first.url, 100_000).then(
      ({ status }) => status,
      () => 'lost'
    )
    await until(
      () => messages(first.url),
      count => count > 0,
      60_000
    )
    first.child.kill('SIGKILL')
    await gone(first.child)
    t.equal(await lost, 'lost', 'CONTROL: it was in the middle of it')

    const second = await serve(directory, sandbox.url)
    children.push(second.child)
    await until(
      () => messages(second.url),
      count => count === 0,
      60_000
    )
    const list = (await (await fetch(`${second.url}/broadcasts`, { headers })).json()) as { items: unknown[] }
    t.strictSame(list.items, [])
    t.strictSame(sandbox.ledger.sends(), [])
    const again = await until(
      () => upload(second.url, 300),
      ({ status }) => status !== 503
    )
    t.equal(again.status, 202)
    await until(
      () => sandbox.ledger.sends().length,
      count => count === 300,
      60_000
    )
  }
)
