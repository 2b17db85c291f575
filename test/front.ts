import type { Test } from 'tap'
import { request } from 'undici'
import { startSandbox } from '../src/sandbox/index.ts'
import { type Board, type BoardOptions, matonKey, startBoard } from './helper.ts'
import { type Answer, openStub, type Seen } from './upstream/stub.ts'

/**
 * A board whose Maton is the sandbox, but for what `play` answers in its place: for a provider that changes its mind, and
 * for answers that the sandbox has no words for. What it leaves goes on to the sandbox byte for byte.
 */
export async function startFrontedBoard(
  t: Test,
  play: (seen: Seen) => Answer | undefined,
  options: BoardOptions = {}
): Promise<Board & { seen: Seen[] }> {
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
  const front = await openStub(async seen => play(seen) ?? (await passed(sandbox.url, seen)))
  t.teardown(async () => {
    await front.close()
    await sandbox.close()
  })
  const board = await startBoard(t, { ...options, sandbox, env: { MATON_BASE_URL: front.url, ...options.env } })
  return { ...board, seen: front.seen }
}

async function passed(url: string, { method, url: path, headers, body }: Seen): Promise<Answer> {
  const kept = headers.filter(([name]) => !['host', 'connection', 'content-length', 'transfer-encoding'].includes(name))
  const answer = await request(url + path, {
    method: method as 'GET',
    headers: Object.fromEntries(kept),
    body: body.length > 0 ? body : null
  })
  const bytes = Buffer.from(await answer.body.arrayBuffer())
  return {
    status: answer.statusCode,
    headers: { 'content-type': String(answer.headers['content-type'] ?? '') },
    body: bytes
  }
}
