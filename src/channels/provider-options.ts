import { Ajv, type ValidateFunction } from 'ajv'
import type { FieldFault } from '../../schemas/problem.ts'
import type { AnyAdapter } from '../adapters/adapter.ts'
import { ServiceError } from '../errors.ts'

/** Throws the 400 that names every fault of a message's providerOptions. */
export type OptionsCheck = (options: Record<string, unknown> | undefined) => void

/** Each provider's part is held against its adapter's schema, whichever channel the message goes through. */
export function createOptionsCheck(adapters: ReadonlyMap<string, AnyAdapter>): OptionsCheck {
  const ajv = new Ajv({ allErrors: true, coerceTypes: false })
  const compiled = new Map<string, ValidateFunction>()
  const faultsOf = (name: string, value: unknown): FieldFault[] => {
    const path = `/providerOptions/${name}`
    const schema = adapters.get(name)?.options
    if (!adapters.has(name)) return [{ path, message: `must be one of ${[...adapters.keys()].join(', ')}` }]
    if (!schema) return [{ path, message: 'has no options' }]
    const validate = compiled.get(name) ?? ajv.compile(schema)
    compiled.set(name, validate)
    if (validate(value)) return []
    return (validate.errors ?? []).map(({ instancePath, params, message }) =>
      params.additionalProperty === undefined
        ? { path: path + instancePath, message: message ?? 'is not valid' }
        : { path: `${path}${instancePath}/${params.additionalProperty}`, message: 'is not an option of this provider' }
    )
  }
  return options => {
    if (options === undefined) return
    const errors = Object.entries(options).flatMap(([name, value]) => faultsOf(name, value))
    if (errors.length > 0)
      throw new ServiceError('invalid_request', `${errors[0]!.path} ${errors[0]!.message}`, { errors })
  }
}
