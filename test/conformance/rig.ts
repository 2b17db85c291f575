import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { inspect } from 'node:util'
import pino from 'pino'
import type { AnyAdapter, Operation, Operations, OutboundFile } from '../../src/adapters/adapter.ts'
import {
  CallFailed,
  type CallRecord,
  createProviderClient,
  type DispatchChannel
} from '../../src/dispatch/provider-client.ts'
import { createMetrics } from '../../src/metrics.ts'
import { createMaton } from '../../src/upstream/maton.ts'
import { openAdmission } from '../admission.ts'

/** Canaries: neither may turn up in an error or a log line. */
export const apiKey = 'maton-canary-6f1f0c11b5e1c7a'
export const connectionId = '77777777-canary-4777-8777-777777777777'

export interface Result<K extends Operation = Operation> {
  output?: Operations[K]['output']
  record?: CallRecord
  failure?: CallFailed
  /** Whatever was thrown that no call may throw. */
  defect?: unknown
  /** The log, and the whole of what was thrown, as text. */
  said: string
}

/** Runs one operation through the real corridor and the real client, against whatever listens at `url`. */
export async function run<K extends Operation>(
  adapter: AnyAdapter,
  settings: unknown,
  operation: K,
  input: Operations[K]['input'],
  url: string,
  timeoutMs: number
): Promise<Result<K>> {
  const lines: string[] = []
  const maton = createMaton({ baseUrl: url, apiKey, timeoutMs })
  const providerClient = createProviderClient({
    admission: openAdmission,
    adapters: new Map([[adapter.provider, adapter]]),
    upstream: () => maton,
    // no redaction: what is not there need not be struck out
    log: pino({ level: 'trace' }, { write: line => lines.push(line) }),
    metrics: createMetrics()
  })
  const channel: DispatchChannel = { id: 'main', provider: adapter.provider, mode: 'live', settings, connectionId }
  try {
    const { output, record } = await providerClient.call(operation, channel, input)
    // a file that is streamed is read to its end
    if (output !== null && 'body' in output && output.body instanceof Readable) await output.body.toArray()
    return { output, record, said: lines.join('') }
  } catch (error) {
    const said = lines.join('') + inspect(error, { depth: 10, showHidden: true })
    return error instanceof CallFailed
      ? { failure: error, record: error.record, said: said + inspect(error.toServiceError(), { depth: 10 }) }
      : { defect: error, said }
  } finally {
    await maton.close()
  }
}

/** A file on disk as the library hands it over. */
export async function temporaryFile(
  t: { teardown: (after: () => unknown) => void },
  bytes: Uint8Array,
  mimeType: string,
  filename: string
): Promise<OutboundFile> {
  const directory = await mkdtemp(join(tmpdir(), 'outbound-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const path = join(directory, 'bytes')
  await writeFile(path, bytes)
  return { path, size: bytes.length, mimeType, filename }
}
