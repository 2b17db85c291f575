import { Ajv } from 'ajv'
import t from 'tap'
import { OptOut, SendingWindow } from '../../schemas/channel-settings.ts'
import { adapters } from '../../src/adapters/index.ts'

// A channel's settings are checked without the meta-schema, so that no start has to compile it: here it is.
t.test('the settings and options of every provider are described by schemas that are valid themselves', async t => {
  const ajv = new Ajv()
  for (const { provider, settings, options } of adapters.values()) {
    t.ok(ajv.validateSchema(settings), `${provider}: settings`)
    if (options) t.ok(ajv.validateSchema(options), `${provider}: options`)
  }
  for (const schema of [OptOut, SendingWindow]) t.ok(ajv.validateSchema(schema), String(schema.$id))
  t.notOk(ajv.validateSchema({ type: 'strnig' }), 'CONTROL: one that is not is found')
})
