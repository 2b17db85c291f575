// The OpenAPI document while it is being made: as much of its form as the steps need.

export type Schema = Record<string, unknown>
export interface Media {
  schema?: unknown
  example?: unknown
  examples?: unknown
}
export interface Answer {
  description?: string
  headers?: Record<string, unknown>
  content?: Record<string, Media>
}
export interface Parameter {
  name: string
  in: string
  required?: boolean
  description?: string
  example?: unknown
  examples?: unknown
}
export interface Operation {
  operationId?: string
  tags?: string[]
  parameters?: Parameter[]
  responses: Record<string, Answer>
  security?: unknown[]
  requestBody?: { required?: boolean; content: Record<string, Media> }
}
export type Document = Record<string, unknown> & {
  components: { schemas: Record<string, Schema> } & Record<string, Record<string, unknown>>
  paths: Record<string, Record<string, Operation>>
}

/** `Idempotency-Key` and `retry-failed` as a name in TypeScript has it: IdempotencyKey, RetryFailed. */
export const pascal = (words: string): string =>
  words
    .split(/[^A-Za-z0-9]+/)
    .filter(Boolean)
    .map(word => word[0]!.toUpperCase() + word.slice(1))
    .join('')
