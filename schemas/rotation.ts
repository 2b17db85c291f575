import { Type } from '@sinclair/typebox'
import { nullable, strict } from './kit.ts'

/** The longest time for which what a rotation replaces goes on counting. */
export const longestOverlapSeconds = 30 * 86_400

/**
 * The body of a rotation: for how long what it replaces goes on counting.
 * @param $id its name in the OpenAPI document
 * @param description what goes on, in the words of that resource
 */
export const rotation = <const N extends string>($id: N, description: string) => ({
  ...nullable(
    strict({
      overlapSeconds: Type.Optional(
        Type.Integer({ minimum: 0, maximum: longestOverlapSeconds, default: 86_400, description, examples: [86_400] })
      )
    })
  ),
  $id,
  examples: [{ overlapSeconds: 86_400 }]
})
