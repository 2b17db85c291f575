import type { Mode } from '../../schemas/common.ts'
import type { Config } from '../config.ts'
import { timed } from '../request-trace.ts'
import type { Egress, EgressOptions } from './egress.ts'
import { createMaton, type Maton } from './maton.ts'
import { createPassthrough, type Passthrough } from './passthrough.ts'
import type { Proxies } from './proxies.ts'

/** Runs one request as a span, where somebody traces. */
type Traced = <T>(work: () => Promise<T>) => Promise<T>

import { UpstreamFailure } from './wire.ts'

/** Where calls go: live traffic to Maton, test traffic (and without an account all of it) to the sandbox. */
export interface Upstreams {
  client: (mode: Mode) => Maton | Promise<Maton>
  passthrough: (mode: Mode) => Promise<Passthrough>
  /**
   * Takes another key of the account, once Maton has answered with it; what is under way ends with the one before.
   * @throws Error with a sentence that says why not; then the one before goes on
   */
  replaceKey: (apiKey: string) => Promise<void>
  close: () => Promise<void>
}

interface Upstream {
  client: Maton
  passthrough: Passthrough
  /** @param gently lets what is under way come to its end */
  close: (gently?: boolean) => Promise<void>
}

/** Asks Maton whether it takes a key. Throws a sentence that says what it answered, where that is not yes. */
async function tryKey({ control }: Passthrough): Promise<void> {
  try {
    await control({ method: 'GET', target: '/connections' })
  } catch (error) {
    if (!(error instanceof UpstreamFailure)) throw error
    const { status, cause, message } = error
    throw new Error(
      status === 401 || status === 403
        ? `Maton refuses the new key (${status})`
        : `Maton gave no answer that says whether it takes the new key (${status ?? cause ?? message}): try again`
    )
  }
}

/** @param startSandbox called only when test traffic needs it, or there is no account */
export function createUpstreams(
  config: Config,
  startSandbox: () => Promise<{ url: string; close: () => Promise<void> }>,
  traced: Traced = work => work()
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
        request: (...call) => traced(() => timed('upstream', () => client.request(...call))),
        stream: (...call) => traced(() => timed('upstream', () => client.stream(...call)))
      },
      passthrough: {
        ...passthrough,
        send: (...call) => traced(() => timed('upstream', () => passthrough.send(...call))),
        control: (...call) => traced(() => timed('upstream', () => passthrough.control(...call)))
      },
      close: async gently => {
        await Promise.all([client.close(gently), passthrough.close(gently)])
        await end()
      }
    }
  }
  const toMaton = (apiKey: string): Upstream =>
    upstream({
      baseUrl: config.MATON_BASE_URL,
      controlUrl: config.MATON_CONTROL_URL,
      apiKey,
      // Of calls to Maton alone: the sandbox runs in this process.
      proxies: { https: config.HTTPS_PROXY, http: config.HTTP_PROXY, no: config.NO_PROXY }
    })
  let key = config.MATON_API_KEY
  let live = key === undefined ? undefined : toMaton(key)
  const retired = new Set<Upstream>()
  /** Closes it when what is under way has ended, or all at once at the end of the process. */
  const retire = (old: Upstream): void => {
    retired.add(old)
    // It can only fail by being closed at once, at the end of the process.
    old.close(true).then(
      () => retired.delete(old),
      () => retired.delete(old)
    )
  }
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
    replaceKey: async apiKey => {
      if (!live) throw new Error('this process runs without an account: start it anew')
      if (apiKey === key) return
      const next = toMaton(apiKey)
      try {
        await tryKey(next.passthrough)
      } catch (error) {
        await next.close()
        throw error
      }
      retire(live)
      live = next
      key = apiKey
    },
    close: async () => {
      await Promise.all([live, ...retired].map(each => each?.close()))
      await (await opened)?.close()
    }
  }
}

/** The client for addresses that callers give: loaded when the first of them is used. */
export function openEgressOnce(rules: EgressOptions): () => Promise<Egress> {
  let opened: Promise<Egress> | undefined
  const open = async () => (await import('./egress.ts')).createEgress(rules)
  return () => (opened ??= open())
}
