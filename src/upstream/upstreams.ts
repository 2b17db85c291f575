import type { Mode } from '../../schemas/common.ts'
import type { Config } from '../config.ts'
import { timed } from '../request-trace.ts'
import { createMaton, type Maton } from './maton.ts'
import { createPassthrough, type Passthrough } from './passthrough.ts'
import type { Proxies } from './proxies.ts'

/** Where calls go: live traffic to Maton, test traffic (and without an account all of it) to the sandbox. */
export interface Upstreams {
  client: (mode: Mode) => Maton | Promise<Maton>
  passthrough: (mode: Mode) => Promise<Passthrough>
  close: () => Promise<void>
}

interface Upstream {
  client: Maton
  passthrough: Passthrough
  close: () => Promise<void>
}

/** @param startSandbox called only when test traffic needs it, or there is no account */
export function createUpstreams(
  config: Config,
  startSandbox: () => Promise<{ url: string; close: () => Promise<void> }>
): Upstreams {
  const timeoutMs = config.UPSTREAM_TIMEOUT_MS
  const upstream = (
    account: { baseUrl: string; controlUrl: string; apiKey: string; proxies?: Proxies },
    end = async () => {}
  ): Upstream => {
    const client = createMaton({ ...account, timeoutMs })
    const passthrough = createPassthrough({ ...account, timeoutMs })
    return {
      client: {
        ...client,
        request: (...call) => timed('upstream', () => client.request(...call)),
        stream: (...call) => timed('upstream', () => client.stream(...call))
      },
      passthrough: {
        ...passthrough,
        send: (...call) => timed('upstream', () => passthrough.send(...call)),
        control: (...call) => timed('upstream', () => passthrough.control(...call))
      },
      close: async () => {
        await client.close()
        await passthrough.close()
        await end()
      }
    }
  }
  const live =
    config.MATON_API_KEY === undefined
      ? undefined
      : upstream({
          baseUrl: config.MATON_BASE_URL,
          controlUrl: config.MATON_CONTROL_URL,
          apiKey: config.MATON_API_KEY,
          // Of calls to Maton alone: the sandbox runs in this process.
          proxies: { https: config.HTTPS_PROXY, http: config.HTTP_PROXY, no: config.NO_PROXY }
        })
  let opened: Promise<Upstream> | undefined
  const open = async (): Promise<Upstream> => {
    const { url, close } = await startSandbox()
    return upstream({ baseUrl: url, controlUrl: url, apiKey: 'sandbox' }, close)
  }
  const sandbox = (): Promise<Upstream> => {
    // A start that failed is tried again by the next call.
    opened ??= open().catch(error => {
      opened = undefined
      throw error
    })
    return opened
  }
  return {
    client: mode => (mode === 'live' && live ? live.client : sandbox().then(({ client }) => client)),
    passthrough: async mode => (mode === 'live' && live ? live : await sandbox()).passthrough,
    close: async () => {
      await live?.close()
      await (await opened)?.close()
    }
  }
}
