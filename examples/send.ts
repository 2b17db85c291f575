import { Api, type Message, type Problem, type SendMessage } from './client.ts'

// Sends a message with the typed client that `npm run client` writes from openapi.yaml. Start Switchboard in sandbox mode
// (`npm start`), copy the test key that it prints, and:  SWITCHBOARD_KEY=sk_test_… node examples/send.ts +14155551234

const { SWITCHBOARD_URL = 'http://127.0.0.1:3000', SWITCHBOARD_KEY = '' } = process.env
const [to = '+1 415 555 1234', channel = 'demo-cloud'] = process.argv.slice(2)

const { messages } = new Api({
  baseUrl: SWITCHBOARD_URL,
  baseApiParams: { headers: { authorization: `Bearer ${SWITCHBOARD_KEY}` } }
})
const body: SendMessage = { channel, to, type: 'text', text: { body: 'Hello from the typed client' } }

/** One Idempotency-Key for every try: however often this line runs again, one message leaves. */
const once = { headers: { 'Idempotency-Key': crypto.randomUUID() } }

const tell = ({ id, status, providerMessageId }: Message): void =>
  console.log(`${id} is ${status}${providerMessageId ? `, for the provider ${providerMessageId}` : ''}`)

try {
  const dry = await messages.validateMessage(body)
  console.log(`${dry.data.request.method} ${dry.data.request.path} through ${dry.data.channel}`)
  const sent = await messages.sendMessage(body, once)
  tell(sent.data)
  tell((await messages.getMessage(sent.data.id)).data)
} catch (answer) {
  const problem = (answer as { error?: Problem }).error
  if (!problem) throw answer
  console.error(`${problem.code}: ${problem.detail} (outcome: ${problem.outcome})`)
  process.exitCode = 1
}
