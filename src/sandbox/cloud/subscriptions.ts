import { Type } from '@sinclair/typebox'
import { type Act, type Call, Refusal } from '../call.ts'
import { checker, isMistake } from '../check.ts'
import { hex } from '../ids.ts'
import { type Hook, handshake } from '../webhooks/hooks.ts'
import { graphError, wrong, wrongParam } from './graph.ts'
import { objectId } from './objects.ts'

// Where Meta's webhooks go: overrides of the account and of the number (docs/webhooks.md C2).

const override = {
  override_callback_uri: Type.Optional(Type.String({ maxLength: 200 })),
  verify_token: Type.Optional(Type.String())
}
const readSubscription = checker(Type.Object(override, { additionalProperties: false }))
const readNumber = checker(
  Type.Object(
    { webhook_configuration: Type.Object(override, { additionalProperties: false }) },
    { additionalProperties: false }
  )
)

type Override = { override_callback_uri?: string; verify_token?: string }

/** The app that Maton's connection belongs to. */
const APP = { id: '670843887433847', link: 'https://www.facebook.com/games/?app_id=670843887433847', name: 'Maton' }
/** Where the app's own webhooks go where nothing overrides them. */
const APP_URL = 'https://hooks.maton.invalid/whatsapp'

const account = (id: string): string => `account/${id}`
const number = (id: string): string => `number/${id}`

/** @throws Refusal where the address does not answer as the handshake wants (docs/upstream.md 4.12) */
async function verified({ override_callback_uri: url = '', verify_token }: Override): Promise<Hook> {
  if (!/^https?:\/\/\S+$/.test(url)) throw wrong(100, 'Param override_callback_uri must be a valid URL')
  if (!(await handshake({ url, verifyToken: verify_token ?? '' })))
    throw new Refusal(
      graphError(2200, {
        message:
          '(#2200) Callback verification failed with the following errors: HTTP status or challenge do not match',
        status: 400
      })
    )
  return { id: hex(), url, status: 1, failures: 0, ...(verify_token !== undefined && { verifyToken: verify_token }) }
}

async function setOverride({ hooks: { at } }: Call, key: string, given: Override): Promise<void> {
  if (given.override_callback_uri) at.set(key, [await verified(given)])
  else at.delete(key)
}

/** Subscribes the app to the account; a body sets the account's override, and without one it is taken away. */
export function subscribeApp(call: Call): Act {
  const id = objectId(call)
  const body =
    call.body.kind === 'none' ? {} : readSubscription(call.body.kind === 'json' ? call.body.value : undefined)
  if (isMistake(body)) throw wrongParam(body)
  return async () => {
    call.state.subscribed.add(id)
    await setOverride(call, account(id), body)
    return { status: 200, body: { success: true } }
  }
}

export function unsubscribeApp(call: Call): Act {
  const id = objectId(call)
  return () => {
    call.state.subscribed.delete(id)
    call.hooks.at.delete(account(id))
    return { status: 200, body: { success: true } }
  }
}

export function listSubscribedApps(call: Call): Act {
  const id = objectId(call)
  const url = call.hooks.at.get(account(id))?.[0]?.url
  const app = { whatsapp_business_api_data: APP, ...(url !== undefined && { override_callback_uri: url }) }
  return () => ({ status: 200, body: { data: call.state.subscribed.has(id) ? [app] : [] } })
}

/** The number's own override; an empty address takes it away. */
export function setNumberWebhook(call: Call): Act {
  const id = objectId(call)
  const body = readNumber(call.body.kind === 'json' ? call.body.value : undefined)
  if (isMistake(body)) throw wrongParam(body)
  if (call.state.subscribed.size === 0)
    throw new Refusal(
      graphError(100, { message: '(#100) The app must be subscribed to the WhatsApp Business Account' })
    )
  return async () => {
    await setOverride(call, number(id), body.webhook_configuration)
    return { status: 200, body: { success: true } }
  }
}

/** `webhook_configuration` of a number: what overrides what. */
export function webhookConfiguration({ hooks: { at } }: Call, id: string): Record<string, string> {
  const own = at.get(number(id))?.[0]?.url
  const shared = [...at].find(([key]) => key.startsWith('account/'))?.[1][0]?.url
  return {
    ...(own !== undefined && { phone_number: own }),
    ...(shared !== undefined && { whatsapp_business_account: shared }),
    application: APP_URL
  }
}
