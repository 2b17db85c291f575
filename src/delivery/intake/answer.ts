import type { MessageError } from '../../../schemas/problem.ts'
import { toMessage } from '../../messages/view.ts'
import type { MessageRow } from '../../store/schema.ts'
import type { Answer } from './idempotency.ts'

/**
 * The answer that a row gives to the POST that made it.
 * @param path where that came in
 */
export const answerOf = (row: MessageRow, requestId: string, path = '/messages'): Answer => {
  const location = `/messages/${row.id}`
  if (row.state === 'failed' || row.state === 'expired' || row.state === 'canceled') {
    const problem = { ...problemOf(row), instance: path, requestId, messageId: row.id }
    return {
      status: problem.status,
      headers: {
        'content-type': 'application/problem+json; charset=utf-8',
        location,
        ...(problem.retryAfterSeconds !== undefined && { 'retry-after': String(problem.retryAfterSeconds) })
      },
      body: JSON.stringify(problem)
    }
  }
  const settled = row.accepted_at !== null && row.state !== 'unknown'
  return {
    status: settled ? 201 : 202,
    headers: { 'content-type': 'application/json; charset=utf-8', location },
    body: JSON.stringify(toMessage(row))
  }
}

function problemOf(row: MessageRow): MessageError {
  if (row.error !== null && row.state === 'failed') return JSON.parse(row.error) as MessageError
  const expired = row.state === 'expired'
  return {
    type: `/errors#${expired ? 'provider_unavailable' : 'conflict'}`,
    title: expired ? 'The message expired' : 'The message was canceled',
    status: expired ? 503 : 409,
    detail: expired
      ? 'It could not be handed over before expiresAt. Nothing was sent.'
      : 'It was canceled before it was handed over. Nothing was sent.',
    code: expired ? 'provider_unavailable' : 'conflict',
    outcome: 'not_sent',
    retryable: expired
  }
}
