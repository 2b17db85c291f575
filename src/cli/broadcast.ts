import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, openAsBlob } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { isTTY, log, progress } from '@clack/prompts'

// `npm run broadcast -- people.csv --template order_update`: a client of the API and of nothing else. The key comes from
// SWITCHBOARD_KEY, since what stands on a command line is seen by everybody on the machine.

const usage = `npm run broadcast -- people.csv --template NAME [options]
npm run broadcast -- --follow brd_…            watch one that runs

  --template NAME      an approved template of the channel
  --language CODE      where the name has several
  --channel ID         default: the key's own
  --name TEXT          for you; default: the file's name
  --start INSTANT      not before, for example 2027-01-01T09:00:00Z
  --rate N             at most N messages a second
  --charset NAME       the encoding of a CSV that is not UTF-8, for example windows-1252
  --skip-invalid       leave bad rows out in place of refusing the file
  --again              send the same file once more, which is otherwise not done twice
  --results FILE       write the results as CSV when it has ended
  --detach             do not wait for the end
  --url ADDRESS        default: SWITCHBOARD_URL, else http://127.0.0.1:3000

The file: CSV or .xlsx with a header row, a column phone, perhaps a column reference; every other column is a variable of
the template. The key stands in SWITCHBOARD_KEY.`

interface Settings {
  url: string
  key: string
}
interface Broadcast {
  id: string
  status: string
  total: number
  duplicates: number
  skipped: number
  counts: Record<string, number>
  perSecond?: number
  etaSeconds?: number
  finishedAt?: string
  errors?: { path: string; message: string }[]
}

/** What is to be told in one sentence, without a stack. */
class Refused extends Error {}

const call = async ({ url, key }: Settings, path: string, options: RequestInit = {}): Promise<Response> => {
  const headers = { ...(options.headers as Record<string, string>), authorization: `Bearer ${key}` }
  let answer: Response
  try {
    answer = await fetch(url + path, { ...options, headers })
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } }
    throw new Refused(`${url} cannot be reached (${cause?.code ?? (error as Error).message}).`)
  }
  if (answer.ok) return answer
  const text = await answer.text()
  let said: { detail?: string; errors?: { path: string; message: string }[] } = {}
  try {
    said = JSON.parse(text) as typeof said
  } catch {
    // Something in between answered: its page says nothing.
  }
  for (const { path: place, message } of (said.errors ?? []).slice(0, 20)) log.error(`${place} ${message}`)
  throw new Refused(`${answer.status}: ${said.detail ?? 'no reason that can be read'}`)
}

/** The file with what belongs to it, posted once however often the same command is given. */
async function post(
  settings: Settings,
  file: string,
  fields: Record<string, string>,
  { skipInvalid, again }: { skipInvalid: boolean; again: boolean }
): Promise<Broadcast> {
  const hash = createHash('sha256').update(JSON.stringify([fields, skipInvalid]))
  await pipeline(createReadStream(file), hash)
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.set(name, value)
  // Streamed from the disk, and last: what stands behind it is not read.
  form.set('file', await openAsBlob(file), file.split(/[/\\]/).at(-1))
  const answer = await call(settings, `/broadcasts${skipInvalid ? '?skipInvalid=true' : ''}`, {
    method: 'POST',
    body: form,
    headers: again ? {} : { 'idempotency-key': `broadcast-${hash.digest('hex')}` }
  })
  if (answer.headers.get('idempotency-replayed') === 'true')
    log.warn('This file has been sent before: what follows is that broadcast. With --again it is sent once more.')
  return (await answer.json()) as Broadcast
}

const done = ({ total, counts }: Broadcast): number => total - (counts.queued ?? 0) - (counts.sending ?? 0)
const words = ({ counts, perSecond, etaSeconds, status }: Broadcast): string => {
  const some = Object.entries(counts).flatMap(([name, count]) => (count > 0 ? [`${count} ${name}`] : []))
  const pace = perSecond ? `, ${perSecond}/s` : ''
  return `${status}: ${some.join(', ')}${pace}${etaSeconds ? `, ${etaSeconds} s to go` : ''}`
}

/** Every state that the stream tells; it is taken up again where it breaks off. */
async function* states(settings: Settings, id: string): AsyncGenerator<Broadcast> {
  for (;;) {
    const { body } = await call(settings, `/broadcasts/${id}/events`)
    let text = ''
    try {
      for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
        text += chunk
        for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
          const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, at)) ?? []
          text = text.slice(at + 2)
          if (data !== undefined) yield JSON.parse(data) as Broadcast
          if (name === 'end') return
        }
      }
    } catch {
      // The connection broke: every event is the whole state, so nothing is lost.
    }
    await new Promise(resolve => setTimeout(resolve, 1000))
  }
}

/** A bar on a terminal; in a log a line for each state. */
function display(id: string): { show: (state: Broadcast) => void; end: (state: Broadcast) => void } {
  if (!isTTY(process.stdout)) return { show: state => console.log(words(state)), end: () => {} }
  const goesOn = `The broadcast goes on without you: npm run broadcast -- --follow ${id}`
  let bar: ReturnType<typeof progress> | undefined
  let shown = 0
  return {
    show: state => {
      if (!bar) {
        bar = progress({ max: Math.max(state.total, 1), cancelMessage: goesOn, errorMessage: goesOn })
        bar.start(words(state))
      }
      bar.advance(done(state) - shown, words(state))
      shown = done(state)
    },
    end: state => bar?.stop(words(state))
  }
}

async function follow(settings: Settings, id: string): Promise<Broadcast> {
  const { show, end } = display(id)
  let last: Broadcast | undefined
  for await (const state of states(settings, id)) {
    show(state)
    last = state
  }
  end(last!)
  return last!
}

async function run(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      template: { type: 'string' },
      language: { type: 'string' },
      channel: { type: 'string' },
      name: { type: 'string' },
      start: { type: 'string' },
      rate: { type: 'string' },
      charset: { type: 'string' },
      results: { type: 'string' },
      follow: { type: 'string' },
      url: { type: 'string' },
      'skip-invalid': { type: 'boolean', default: false },
      again: { type: 'boolean', default: false },
      detach: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  const { SWITCHBOARD_KEY: key, SWITCHBOARD_URL: address = 'http://127.0.0.1:3000' } = process.env
  const [file] = positionals
  if (values.help || (!values.follow && (!file || !values.template || positionals.length > 1))) {
    console.log(usage)
    return values.help ? 0 : 2
  }
  if (!key) throw new Refused('SWITCHBOARD_KEY is not set: it holds the key to send with.')
  const settings = { url: (values.url ?? address).replace(/\/$/, ''), key }
  let id = values.follow
  if (id === undefined) {
    const { template, language, channel, start, rate, charset } = values
    const made = await post(
      settings,
      file!,
      {
        ...(channel && { channel }),
        name: values.name ?? file!.split(/[/\\]/).at(-1)!,
        template: JSON.stringify({ name: template, ...(language && { language }) }),
        ...(start && { startAt: start }),
        ...(rate && { ratePerSecond: rate }),
        ...(charset && { charset })
      },
      { skipInvalid: values['skip-invalid'], again: values.again }
    )
    for (const { path, message } of (made.errors ?? []).slice(0, 20)) log.warn(`${path} ${message}`)
    const left = [
      made.duplicates && `${made.duplicates} duplicates`,
      made.skipped && `${made.skipped} bad rows left out`
    ]
    log.info(`${made.id}: ${[`${made.total} recipients`, ...left.filter(Boolean)].join(', ')}`)
    id = made.id
  }
  if (values.detach) return 0
  const { status, counts } = await follow(settings, id)
  if (values.results) {
    const { body } = await call(settings, `/broadcasts/${id}/messages`, { headers: { accept: 'text/csv' } })
    await pipeline(Readable.fromWeb(body as never), createWriteStream(values.results))
    log.info(`The results are in ${values.results}.`)
  }
  return status === 'finished' && !counts.failed && !counts.unknown && !counts.expired ? 0 : 3
}

try {
  process.exitCode = await run()
} catch (error) {
  const fault = error as Error & { code?: string }
  const told = fault instanceof Refused || fault.code?.startsWith('ERR_PARSE_ARGS') || fault.code === 'ENOENT'
  if (!told) throw error
  log.error(fault.message)
  process.exitCode = 1
}
