import { parse } from 'csv-parse/sync'
import { type Act, type Call, PHONE } from '../call.ts'
import { badRequest, checkChannel, rejected, TYPOS } from './answers.ts'
import { BROADCAST, deliver } from './history.ts'
import { findTemplate, noteOrder, paramTrouble, render } from './template.ts'

/** Rows and fields of a CSV text (RFC 4180). */
function parseCsv(bytes: Buffer | undefined): string[][] {
  try {
    return parse(bytes ?? '', { bom: true, skip_empty_lines: true, relax_column_count: true })
  } catch {
    throw badRequest('the file is no CSV')
  }
}

/** Row 14: the first column is the number, the others are the parameters; the layout is unconfirmed (3.4.10). */
export function sendTemplateMessageCSV(call: Call): Act {
  const { template_name: name, broadcast_name: broadcast, channelPhoneNumber } = call.query
  if (!name) throw badRequest('template_name is required')
  if (!broadcast) throw badRequest('broadcast_name is required')
  checkChannel(channelPhoneNumber, 'channelPhoneNumber')
  const parts = call.body.kind === 'multipart' ? call.body.parts : []
  const [file] = parts
  if (parts.length !== 1 || file?.name !== 'whatsapp_numbers_csv' || !file.filename) {
    throw badRequest('exactly one file in a part named "whatsapp_numbers_csv" is required')
  }
  const [header, ...rows] = parseCsv(file.bytes)
  if (header === undefined || rows.length === 0) throw rejected(call, 'The file has no rows')
  call.recipients = rows.map(row => row[0] ?? '')
  const template = findTemplate(call, name)
  const messages = rows.map(([to = '', ...values]) => {
    const params = header.slice(1).map((column, at) => ({ name: column, value: values[at] ?? '' }))
    if (!PHONE.test(to)) throw rejected(call, 'The file has invalid numbers', `"${to}" is not a plain number`)
    const trouble = paramTrouble(template, params)
    if (trouble !== undefined) throw rejected(call, TYPOS, `${to}: ${trouble}`)
    return { to, params }
  })
  noteOrder(call, template, messages[0]?.params ?? [])
  return () => {
    for (const { to, params } of messages) {
      deliver(call, to, { ...BROADCAST, finalText: render(template, params) }, 'localMessageId')
    }
    return { status: 200, body: { result: true } }
  }
}
