import { fbtrace } from '../ids.ts'
import type { StandIn } from '../stand-in.ts'
import { graphError, wrong } from './graph.ts'
import { cloudOperations } from './operations.ts'
import { says } from './refusals.ts'
import { cloudWording } from './webhooks.ts'

/** Headers that Graph puts on everything it says (docs/upstream.md 4.1). */
export const graphHeaders = (version: string): Record<string, string> => ({
  'x-fb-trace-id': fbtrace(),
  'x-fb-rev': '1014882203',
  'facebook-api-version': version
})

/** The stand-in for Meta's WhatsApp Cloud API. */
export const cloud: StandIn = {
  name: 'cloud',
  app: 'whatsapp-business',
  method: 'OAUTH2',
  operations: cloudOperations,
  says,
  malformed: text => wrong(100, text),
  // without a version Graph takes the app's own
  rewrite: path => path.replace(/^\/whatsapp-business\/(?=\d{5,}(\/|$|\?))/, '/whatsapp-business/v24.0/'),
  check: call => {
    if (!/^v(1[6-9]|2\d)\.0$/.test(call.params.version ?? ''))
      throw wrong(2500, `Unknown path components: /${call.params.version}`)
  },
  sign: (answer, call) =>
    answer.body === undefined
      ? answer
      : { ...answer, headers: { ...graphHeaders(call.params.version ?? ''), ...answer.headers } },
  nowhere: graphError(2500, { message: 'Unknown path components' }),
  webhooks: {
    wording: cloudWording,
    hooks: {
      // the number's override goes before the account's (docs/webhooks.md C2); which account a number has is not known here
      keys: ({ numberId }, known) => [
        `number/${numberId}`,
        ...[...known].filter(key => key.startsWith('account/')).slice(0, 1)
      ],
      scope: ({ numberId }) => ({ numberId }),
      signed: true,
      defective: false
    }
  }
}
