import type { MessageError } from '../../schemas/problem.ts'
import { publicStatus } from '../messages/view.ts'
import type { ResultRow } from './queries.ts'

/** The columns of the results, each with its cell. */
const columns: Readonly<Record<string, (row: ResultRow, error: MessageError | undefined) => string | number | null>> = {
  phone: row => row.contact,
  reference: row => row.reference,
  status: row => publicStatus(row.state),
  messageId: row => row.id,
  providerMessageId: row => row.provider_message_id,
  attempts: row => row.attempts,
  errorCode: (_, error) => error?.code ?? null,
  errorDetail: (_, error) => error?.detail ?? null,
  acceptedAt: row => instant(row.accepted_at),
  sentAt: row => instant(row.sent_at),
  deliveredAt: row => instant(row.delivered_at),
  readAt: row => instant(row.read_at),
  failedAt: row => instant(row.failed_at)
}
const instant = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

/**
 * A header and a row for each message, in the order of the recipients.
 * @param next some, from behind an id on
 */
export async function* resultRows(next: (after: { after?: string }) => Promise<ResultRow[]>): AsyncGenerator<string[]> {
  yield Object.keys(columns)
  let after: string | undefined
  for (;;) {
    const page = await next(after === undefined ? {} : { after })
    for (const row of page) {
      const error = row.error === null ? undefined : (JSON.parse(row.error) as MessageError)
      yield Object.values(columns).map(cell => String(cell(row, error) ?? ''))
    }
    after = page.at(-1)?.id
    if (after === undefined) return
  }
}
