import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TSchema, Type } from '@sinclair/typebox'
import type { Test } from 'tap'
import { nullable } from '../../schemas/kit.ts'
import type { Operations } from '../../src/adapters/adapter.ts'
import type { Sandbox } from '../../src/sandbox/index.ts'
import type { Example } from './adapter.ts'
import { run } from './rig.ts'

// What the suite needs of the operations that say where webhooks go: shape and input of each.

type Part = 'getWebhookSubscription' | 'subscribeWebhooks' | 'registerWebhook' | 'getWebhook' | 'removeWebhook'

const filled = Type.String({ minLength: 1 })
const strict = { additionalProperties: false }

export const webhookShapes: Record<Part, TSchema> = {
  getWebhookSubscription: Type.Object({ subscribed: Type.Boolean() }, strict),
  subscribeWebhooks: Type.Null(),
  registerWebhook: Type.Object({ id: Type.Optional(filled) }, strict),
  getWebhook: nullable(
    Type.Object(
      {
        url: filled,
        id: Type.Optional(filled),
        fields: Type.Optional(Type.Array(filled, { minItems: 1 })),
        working: Type.Boolean(),
        inherited: Type.Optional(Type.Literal(true))
      },
      strict
    )
  ),
  removeWebhook: Type.Null()
}

/** A receiver that passes Meta's handshake and takes everything. */
export async function openReceiver(t: Pick<Test, 'teardown'>): Promise<string> {
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url!, 'http://localhost')
    request.resume().on('end', () => response.end(searchParams.get('hub.challenge') ?? ''))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise(resolve => server.close(resolve)))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/main/token`
}

/** What each is given; against a sandbox, whatever has to be there before is made first. */
export function webhookInputs(
  t: Pick<Test, 'teardown'>,
  { adapter, settings }: Example
): { [K in Part]: (sandbox?: Sandbox) => Promise<Operations[K]['input']> } {
  const ask = async <K extends Part>(sandbox: Sandbox, operation: K, input: Operations[K]['input']) => {
    if (!adapter.operations[operation]) return undefined
    const { output, failure, defect } = await run(adapter, settings, operation, input, sandbox.url, 10_000)
    if (failure || defect) throw failure ?? defect
    return output
  }
  const wanted = async (sandbox?: Sandbox) => {
    if (!sandbox) return { url: 'http://127.0.0.1:9/webhooks/main/token', verifyToken: 'verify' }
    await ask(sandbox, 'subscribeWebhooks', {})
    return { url: await openReceiver(t), verifyToken: 'verify' }
  }
  const registered = async (sandbox?: Sandbox) => {
    const input = await wanted(sandbox)
    const made = sandbox ? await ask(sandbox, 'registerWebhook', input) : { id: 'hook-1' }
    return { url: input.url, ...made }
  }
  return {
    getWebhookSubscription: async () => ({}),
    subscribeWebhooks: async () => ({}),
    registerWebhook: wanted,
    getWebhook: async sandbox => ({ url: (await registered(sandbox)).url }),
    removeWebhook: registered
  }
}
