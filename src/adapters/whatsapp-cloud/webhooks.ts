import type { NativeAnswer, NativeRequest, Operations } from '../adapter.ts'
import { granted, graphId, record, string, unreadable } from './decode.ts'
import { graphPath, type Settings } from './settings.ts'

// Where Meta's webhooks go: the sending number's own override, which goes before the account's and the app's, so that two
// numbers of one account do not silence each other (docs/webhooks.md C2).

const account = (settings: Settings): string[] => graphPath(settings, settings.businessAccountId, 'subscribed_apps')
const number = (settings: Settings): string[] => graphPath(settings, settings.phoneNumberId)

export const subscriptionRequest = (settings: Settings): NativeRequest => ({ method: 'GET', path: account(settings) })
export function subscribed(answer: NativeAnswer): Operations['getWebhookSubscription']['output'] {
  const { data } = granted(answer)
  if (!Array.isArray(data)) throw unreadable(answer, 'a list of apps')
  return { subscribed: data.length > 0 }
}

/** Without a body; with an override of the account's in force this call would take that away, so it is made only where nothing is subscribed. */
export const subscribeRequest = (settings: Settings): NativeRequest => ({ method: 'POST', path: account(settings) })

export const registerRequest = (
  settings: Settings,
  { url, verifyToken }: Operations['registerWebhook']['input']
): NativeRequest => ({
  method: 'POST',
  path: number(settings),
  body: { json: { webhook_configuration: { override_callback_uri: url, verify_token: verifyToken } } }
})

/** An empty address takes the override away. */
export const removeRequest = (settings: Settings): NativeRequest => ({
  method: 'POST',
  path: number(settings),
  body: { json: { webhook_configuration: { override_callback_uri: '' } } }
})

export const readRequest = (settings: Settings): NativeRequest => ({
  method: 'GET',
  path: number(settings),
  query: { fields: 'webhook_configuration' }
})

/** The number's goes before the account's; the app's own is Maton's, so it counts as none. */
export function registered(answer: NativeAnswer): Operations['getWebhook']['output'] {
  const { id, webhook_configuration: told } = granted(answer)
  if (told === undefined && graphId(id) === undefined) throw unreadable(answer, 'a webhook configuration')
  const configuration = record(told)
  const own = string(configuration.phone_number)
  const shared = string(configuration.whatsapp_business_account)
  if (own !== undefined) return { url: own, working: true }
  return shared === undefined ? null : { url: shared, working: true, inherited: true }
}
