/** A connection as Maton shows it (docs/upstream.md 2.3). */
export interface Connection {
  connection_id: string
  status: 'ACTIVE' | 'PENDING' | 'FAILED'
  creation_time: string
  last_updated_time: string
  url: string
  app: string
  method: string
  metadata: Record<string, unknown>
}

/** The id that Maton answers "no connection" for; every id it has never heard of is taken. */
export const UNKNOWN_CONNECTION = 'conn-unknown'

const ROWS: readonly (readonly [id: string, app: string, method: string, Connection['status'], time: string])[] = [
  ['11111111-1111-4111-8111-111111111111', 'wati', 'API_KEY', 'ACTIVE', '2025-12-08T07:20:53.488460Z'],
  ['22222222-2222-4222-8222-222222222222', 'whatsapp-business', 'OAUTH2', 'ACTIVE', '2026-01-14T11:02:09.120031Z'],
  ['33333333-3333-4333-8333-333333333333', 'wati', 'API_KEY', 'PENDING', '2026-02-01T09:30:00.000117Z'],
  ['44444444-4444-4444-8444-444444444444', 'whatsapp-business', 'OAUTH2', 'FAILED', '2026-03-19T18:45:31.902200Z']
]

/** The address that a person opens to finish a connection; its token is a secret. */
export function connectUrl(token: string): string {
  return `https://connect.maton.ai/?session_token=${token}`
}

/** Two active connections, one pending and one failed. */
export function seedConnections(): Map<string, Connection> {
  return new Map(
    ROWS.map(([id, app, method, status, time]) => [
      id,
      {
        connection_id: id,
        status,
        creation_time: time,
        last_updated_time: time,
        url: connectUrl(`seed-${id.slice(0, 8)}`),
        app,
        method,
        metadata: {}
      }
    ])
  )
}
