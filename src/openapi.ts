import { readFileSync, writeFileSync } from 'node:fs'
import swagger from '@fastify/swagger'
import { pino } from 'pino'
import { adapters } from './adapters/index.ts'
import { buildApp } from './app.ts'
import { complete } from './document/complete.ts'
import type { Document } from './document/document.ts'
import { shareParts } from './document/share.ts'
import { nameSchemas, narrowMessages } from './document/titles.ts'
import { describeEvents } from './document/webhooks.ts'
import { toYaml } from './document/yaml.ts'
import type { AppParts } from './http/fastify.ts'

// Makes openapi.yaml from the routes and their schemas: `npm run openapi`. The tests compare it with the file.

const description = `One API for WhatsApp, whichever provider is behind a channel.

**Try it.** Press *Authorize*, paste a key, and send the example of *Send a message*. The test key that is printed at the start does for all but keys, the audit trail and changes of channels, which take the admin key. In sandbox mode (no account configured) nobody receives anything, whichever key is used, and some recipients force an outcome: \`15550100001\` is not on WhatsApp, \`15550100002\` has not written for 24 hours, \`15550100007\` takes 3 seconds, \`15550100008\` never answers, \`15550100023\` is throttled once. [All of them](/sandbox).

**What an answer means.** \`201\`: the provider accepted the message. \`202\`: it is durable here and not settled; \`status: unknown\` means that it left and nobody can say whether it arrived, and it is never sent again by itself. Every error is a problem (RFC 9457) whose \`outcome\` says whether anything can have reached the recipient. [All codes](/errors).

**Never twice.** Send an \`Idempotency-Key\` with every POST that matters: the same key and body again give the first answer, byte for byte.`

/** The OpenAPI document as YAML. Needs no store and no port: routes only describe themselves. */
export async function makeOpenApi(): Promise<string> {
  const nothing = new Proxy({}, { get: () => undefined }) as never
  const parts: AppParts = {
    keyring: nothing,
    limiter: nothing,
    identities: nothing,
    callers: nothing,
    usage: nothing,
    channels: nothing,
    channelHealth: nothing,
    connections: nothing,
    native: nothing,
    dryRun: nothing,
    messages: nothing,
    unknowns: nothing,
    broadcasts: nothing,
    conversations: nothing,
    templates: nothing,
    numbers: nothing,
    media: nothing,
    contacts: nothing,
    erase: nothing,
    history: nothing,
    contactTable: nothing,
    suppressions: nothing,
    suppressionTable: nothing,
    idempotency: nothing,
    audit: nothing,
    subscriptions: nothing,
    deliveries: nothing,
    hold: nothing,
    events: nothing,
    overviews: nothing,
    webhookRegistrations: nothing,
    door: nothing,
    replayWebhooks: nothing,
    metrics: nothing,
    requireScraper: nothing,
    notReady: async () => null,
    degraded: async () => null,
    serverMode: 'sandbox'
  }
  const version = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
    .version
  const app = await buildApp(parts, {
    docs: false,
    providers: [...adapters.keys()],
    log: pino({ level: 'silent' }),
    prepare: async each => {
      await each.register(swagger, {
        openapi: {
          openapi: '3.1.0',
          info: { title: 'Switchboard', version, description, license: { name: 'MIT', identifier: 'MIT' } },
          // The first is what Postman takes; PUBLIC_URL takes its place.
          servers: [
            { url: 'http://127.0.0.1:3000', description: 'As npm start has it.' },
            { url: '/', description: 'Where this document was read.' }
          ],
          tags: [
            { name: 'Messages', description: 'Send, and see what became of it.' },
            { name: 'Broadcasts', description: 'One template to many people, from a list or a table.' },
            { name: 'Templates', description: 'What may be sent at any time, once WhatsApp has approved it.' },
            { name: 'Contacts', description: 'The people behind the numbers.' },
            { name: 'Media', description: 'Files to send.' },
            { name: 'Channels', description: 'Senders: a provider account and its number.' },
            { name: 'Connections', description: 'Accounts that Maton holds the credentials of (administrators).' },
            { name: 'Native', description: 'The provider’s own API, for what this one does not say.' },
            { name: 'Events', description: 'What has changed, in the order in which it did.' },
            { name: 'Keys', description: 'Who may do what (administrators).' },
            { name: 'Health', description: 'For balancers and for Prometheus; no key is asked for.' }
          ],
          security: [{ key: [] }],
          components: {
            securitySchemes: {
              key: {
                type: 'http',
                scheme: 'bearer',
                description:
                  'A key of Switchboard: sk_live_… or sk_test_… (printed at the start), without the word Bearer.'
              }
            }
          }
        },
        refResolver: {
          buildLocalReference: (json, _base, _fragment, i) => (typeof json.$id === 'string' ? json.$id : `schema${i}`)
        },
        transform: ({ schema, url, route }) => {
          const guarded = route.config?.scope !== undefined
          const scope = route.config?.scope
          const rights = scope === undefined || scope === 'any' ? '' : `\n\nNeeds the scope \`${scope}\`.`
          if (schema?.hide) return { schema, url }
          const text = `${schema?.description ?? ''}${rights}`.trim()
          return {
            url,
            schema: { ...schema, ...(text && { description: text }), ...(!guarded && { security: [] }) }
          }
        }
      })
    }
  })
  // A copy, in which nothing is shared by reference: the routes' own schemas stay as they are.
  const document = JSON.parse(JSON.stringify(app.swagger())) as Document
  await app.close()
  complete(document, adapters)
  describeEvents(document)
  narrowMessages(document)
  shareParts(document)
  nameSchemas(document)
  return `# Made from the routes by \`npm run openapi\`. Do not edit.\n${toYaml(document)}`
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(new URL('../openapi.yaml', import.meta.url), await makeOpenApi())
}
