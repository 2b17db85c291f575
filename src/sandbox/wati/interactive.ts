import { type Static, Type } from '@sinclair/typebox'
import type { Act, Call } from '../call.ts'
import { checker, isMistake, type Mistake } from '../check.ts'
import type { Taken } from '../webhooks/happening.ts'
import { badField, checkChannel, recipientOf, rejected } from './answers.ts'
import { deliver, messageBody } from './history.ts'

const strict = { additionalProperties: false }
const text = (most?: number): ReturnType<typeof Type.String> =>
  Type.String({ minLength: 1, ...(most === undefined ? {} : { maxLength: most }) })
const Address = Type.String({ pattern: '^https?://[^\\s]+$' })

/** docs/upstream.md 3.4.12; the types of a header are capitalised. */
const Buttons = Type.Object(
  {
    header: Type.Optional(
      Type.Object(
        {
          type: Type.String({ pattern: '^(Text|Image|Video|Document)$' }),
          text: Type.Optional(text(60)),
          media: Type.Optional(Type.Object({ url: Address, fileName: Type.Optional(text()) }, strict))
        },
        strict
      )
    ),
    body: text(1024),
    footer: Type.Optional(text(60)),
    buttons: Type.Array(Type.Object({ text: text(20) }, strict), { minItems: 1, maxItems: 3 })
  },
  strict
)

/** docs/upstream.md 3.4.13; here the header is a plain string, and rows have no id. */
const List = Type.Object(
  {
    header: Type.Optional(text(60)),
    body: text(1024),
    footer: Type.Optional(text(60)),
    buttonText: text(20),
    sections: Type.Array(
      Type.Object(
        {
          title: Type.Optional(text(24)),
          rows: Type.Array(Type.Object({ title: text(24), description: Type.Optional(text(72)) }, strict), {
            minItems: 1
          })
        },
        strict
      ),
      { minItems: 1, maxItems: 10 }
    )
  },
  strict
)

/** Broken by the wording of a message and not by its form: WATI tells those inside a 200. */
const LIMITS = new Set(['maxLength', 'minLength', 'maxItems', 'minItems', 'pattern'])

function read<B>(call: Call, check: (value: unknown) => Mistake | B): B {
  const body = check(call.body.kind === 'json' ? call.body.value : undefined)
  if (!isMistake(body)) return body
  throw LIMITS.has(body.rule) ? rejected(call, `${body.path} ${body.text}`) : badField(body)
}

const readButtons = checker(Buttons)
const readList = checker(List)

function checkHeader(call: Call, header: Static<typeof Buttons>['header']): void {
  if (header === undefined) return
  const isText = header.type === 'Text'
  if (isText !== (header.text !== undefined)) throw rejected(call, 'header.text belongs to a header of type Text')
  if (isText === (header.media !== undefined)) throw rejected(call, 'header.media belongs to a header with media')
  if (header.media?.fileName !== undefined && header.type !== 'Document') {
    throw rejected(call, 'header.media.fileName belongs to documents')
  }
}

function accept(call: Call, body: string, interactiveData: unknown, choices: Taken['choices']): Act {
  checkChannel(call.query.channelPhoneNumber, 'channelPhoneNumber')
  const to = recipientOf(call)
  call.recipients = [to]
  return () => {
    const sent = deliver(call, to, { type: 'interactive', text: body }, 'whatsappMessageId', undefined, choices)
    const message = messageBody(sent)
    return { status: 200, body: { ok: true, message: { ...message, interactiveData }, errors: [] } }
  }
}

/** Row 17. */
export function sendInteractiveButtonsMessage(call: Call): Act {
  const body = read(call, readButtons)
  checkHeader(call, body.header)
  const titles = body.buttons.map(button => button.text)
  if (new Set(titles).size < titles.length) throw rejected(call, 'button texts must be unique')
  return accept(
    call,
    body.body,
    body,
    titles.map(title => ({ title }))
  )
}

/** Row 18. */
export function sendInteractiveListMessage(call: Call): Act {
  const body = read(call, readList)
  const rows = body.sections.reduce((sum, section) => sum + section.rows.length, 0)
  if (rows > 10) throw rejected(call, 'a list has at most 10 rows over all sections')
  if (body.sections.length > 1 && body.sections.some(({ title }) => title === undefined)) {
    throw rejected(call, 'every section needs a title when there are several')
  }
  const choices = body.sections.flatMap(section => section.rows)
  return accept(call, body.body, body, choices)
}
