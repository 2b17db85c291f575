import { type Static, Type } from '@sinclair/typebox'
import { Mode } from './common.ts'
import { messageTypes } from './content.ts'
import { nullable, stringEnum } from './kit.ts'

const texts = (description: string) => Type.Record(Type.String(), Type.String(), { description })

/** What a dry run tells: what would be sent, and where to. */
export const DryRun = Type.Object(
  {
    channel: Type.String({ description: 'The channel that was chosen.' }),
    provider: Type.String(),
    mode: Mode,
    to: Type.String({ examples: ['14155551234'] }),
    type: stringEnum(messageTypes),
    request: Type.Object(
      {
        method: Type.String(),
        path: Type.String({ description: 'Behind Maton’s host.' }),
        query: texts('Decoded.'),
        headers: texts('Those that we set; secrets are masked.'),
        body: Type.Unknown({
          description:
            'JSON as it is, a form as an object, multipart as a list of its parts; a file is described. Where our message id goes out it reads msg_ and zeros.'
        })
      },
      { additionalProperties: false, description: 'The one request that the provider would get.' }
    ),
    template: Type.Optional(
      Type.Object(
        {
          name: Type.String(),
          language: Type.String(),
          parameterFormat: stringEnum(['named', 'positional']),
          variables: Type.Array(
            Type.Object({ name: Type.String(), value: Type.String() }, { additionalProperties: false })
          )
        },
        {
          additionalProperties: false,
          description: 'The definition that it was checked against, and each variable in its place.'
        }
      )
    ),
    warnings: Type.Array(Type.String()),
    expectedWaitSeconds: nullable(
      Type.Integer({
        minimum: 0,
        description:
          'Until it would go out: what sendAt asks for, the turns of those before it, and what the provider asked for. null: its channel is paused, held or does not answer.'
      })
    )
  },
  { $id: 'DryRun', additionalProperties: false }
)
export type DryRun = Static<typeof DryRun>
