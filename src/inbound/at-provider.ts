import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import type { AnyAdapter, RegisteredWebhook } from '../adapters/adapter.ts'
import { CallFailed, type DispatchChannel, type ProviderClient } from '../dispatch/provider-client.ts'
import { ServiceError } from '../errors.ts'
import type { WebhookTokens } from './tokens.ts'

/** What was read back of where a provider calls. */
export interface Seen {
  atProvider: boolean | 'unknown'
  id?: string
  fields?: string[]
  problem?: string
  inherited?: true
  /** It has our address, and does not call it. */
  switchedOff?: true
  /** Of another address that it calls: what that is remembered by. */
  digest?: string
  /** Why nothing could be read back. */
  failure?: CallFailed
}

/** The calls about a channel's webhooks at its provider. What it refuses is told in its words, with the way by hand. */
export interface AtProvider {
  /** What the provider says now of where it calls. Never throws for what it does not know. */
  inspect: (channel: DispatchChannel, url: string) => Promise<Seen>
  /** Makes sure of the account's subscription: without it nothing is told, and Meta refuses the override. */
  subscribe: (channel: DispatchChannel) => Promise<void>
  /** Has it call this address. @returns its own id of it, where it gives one */
  tell: (channel: DispatchChannel, url: string) => Promise<string | undefined>
  /**
   * Has it not call this address any more. Where it knows neither the list of what it calls nor this call, that is logged, with the way by hand.
   * @param unread why what it calls could not be read; else a 404 says that this address is gone
   */
  take: (channel: DispatchChannel, url: string, id: string | undefined, unread?: CallFailed) => Promise<void>
  /** As `take`, of an address that is not used any more: a refusal is logged, and stops nothing. */
  leave: (channel: DispatchChannel, url: string, id: string, unread?: CallFailed) => Promise<void>
  /** The refusal of a call, as a caller is told of it. */
  refused: (channel: DispatchChannel, failure: CallFailed) => ServiceError
  /** How to do it without us, as the end of a sentence; empty where nobody knows. */
  byHand: (channel: DispatchChannel) => string
}

export interface AtProviderParts {
  adapters: ReadonlyMap<string, AnyAdapter>
  providerClient: ProviderClient
  tokens: WebhookTokens
  log: Logger
}

/** What an address is remembered by: it holds a secret. */
export const digestOfUrl = (url: string): string => createHash('sha256').update(url).digest('hex')

const awayByHand = ' By hand: delete the address of this channel where the provider’s dashboard lists its webhooks.'

export function createAtProvider({ adapters, providerClient, tokens, log }: AtProviderParts): AtProvider {
  const operationsOf = ({ provider }: DispatchChannel) => adapters.get(provider)!.operations
  const unknown = (error: unknown): boolean => error instanceof CallFailed && error.record.status === 404
  const byHand = ({ provider }: DispatchChannel): string => {
    const how = adapters.get(provider)?.hear?.byHand
    return how === undefined ? '' : ` By hand: ${how}`
  }
  const refused = (channel: DispatchChannel, failure: CallFailed, how = byHand(channel)): ServiceError => {
    const { code, message, facts } = failure.toServiceError()
    return new ServiceError(code, `${message}${how}`, facts)
  }
  /** Runs calls of which a refusal is the caller's business. */
  const asked = async <T>(channel: DispatchChannel, calls: () => Promise<T>, how?: string): Promise<T> => {
    try {
      return await calls()
    } catch (error) {
      throw error instanceof CallFailed ? refused(channel, error, how) : error
    }
  }
  const take: AtProvider['take'] = async (channel, url, id, unread) => {
    if (!operationsOf(channel).removeWebhook) return
    const remove = async () => {
      try {
        await providerClient.call('removeWebhook', channel, { url, ...(id !== undefined && { id }) })
      } catch (error) {
        if (!unknown(error)) throw error
        // Somebody has taken it away there.
        if (!unread) return
        if (!unknown(unread)) throw error
        log.warn({ channel: channel.id }, `the provider has no call that takes an address away.${awayByHand}`)
      }
    }
    await asked(channel, remove, awayByHand)
  }

  return {
    byHand,
    refused,
    take,

    inspect: async (channel, url) => {
      if (!operationsOf(channel).getWebhook) return { atProvider: 'unknown' }
      try {
        const { output } = await providerClient.call('getWebhook', channel, { url })
        return seen(output, url)
      } catch (error) {
        if (!(error instanceof CallFailed)) throw error
        const problem = `It cannot be read back: ${error.verdict.detail}`
        return { atProvider: 'unknown', problem, failure: error }
      }
    },

    subscribe: channel =>
      asked(channel, async () => {
        const { getWebhookSubscription, subscribeWebhooks } = operationsOf(channel)
        if (!getWebhookSubscription || !subscribeWebhooks) return
        const { output } = await providerClient.call('getWebhookSubscription', channel, {})
        if (!output.subscribed) await providerClient.call('subscribeWebhooks', channel, {})
      }),

    tell: (channel, url) =>
      asked(channel, async () => {
        const { verifyToken = tokens.verifyToken(channel.id, channel.mode) } = channel.settings as {
          verifyToken?: string
        }
        return (await providerClient.call('registerWebhook', channel, { url, verifyToken })).output.id
      }),

    leave: (channel, url, id, unread) =>
      take(channel, url, id, unread).catch(error =>
        log.warn(
          { err: error, channel: channel.id },
          'an address that is not used any more could not be taken away at the provider'
        )
      )
  }
}

/** @param url ours */
function seen(found: RegisteredWebhook | null, url: string): Seen {
  if (found === null) return { atProvider: false, problem: 'The provider calls no address: register it again.' }
  const { id, fields, inherited, missing } = found
  const told = { ...(id !== undefined && { id }), ...(fields && { fields }), ...(inherited && { inherited }) }
  if (found.url !== url) {
    // Not the address itself: whatever secret it holds is somebody else's.
    const [theirs, ours] = [hostOf(found.url), hostOf(url)]
    const another = theirs === ours ? 'another address than this one, of the same host' : 'another address than ours'
    const whose = inherited ? `the account’s address, which is ${another}` : another
    const { id: _, ...rest } = told
    const digest = digestOfUrl(found.url)
    return { ...rest, digest, atProvider: false, problem: `The provider calls ${whose}, at ${theirs}.` }
  }
  const unheard = missing && {
    problem: `The provider does not tell of ${missing.join(', ')}: choose these events as well.`
  }
  if (found.working) return { ...told, atProvider: true, ...unheard }
  return {
    ...told,
    ...{ atProvider: false, switchedOff: true },
    problem: 'The provider has switched the webhook off, because its calls failed: register it again.'
  }
}

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : 'an address that is no URL')
