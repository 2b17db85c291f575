import { Ajv, type ValidateFunction } from 'ajv'
import type { FieldFault } from '../schemas/problem.ts'
import type { AnyAdapter } from './adapters/adapter.ts'
import { ServiceError } from './errors.ts'

export interface SettingsCheck {
  /** Every fault of a channel's settings, by the schema of its provider. */
  faultsOf: (provider: string, settings: unknown, at: string) => FieldFault[]
  /** Throws the 400 that names them. */
  checkSettings: (provider: string, settings: unknown) => void
}

export function createSettingsCheck(adapters: ReadonlyMap<string, AnyAdapter>): SettingsCheck {
  const ajv = new Ajv({ allErrors: true, coerceTypes: false })
  const validators = new Map<string, ValidateFunction>(
    [...adapters].map(([name, adapter]) => [name, ajv.compile(adapter.settings)])
  )
  const faultsOf = (provider: string, settings: unknown, at: string): FieldFault[] => {
    const validate = validators.get(provider)
    if (!validate)
      return [
        { path: at.replace(/settings$/, 'provider'), message: `must be one of ${[...adapters.keys()].join(', ')}` }
      ]
    if (validate(settings)) return []
    return (validate.errors ?? []).map(({ instancePath, params, message }) => {
      const { additionalProperty: unknown, missingProperty: missing } = params
      const member = unknown ?? missing
      return {
        path: `${at}${instancePath}${member === undefined ? '' : `/${member}`}`,
        message: unknown
          ? 'is not a setting of this provider'
          : missing
            ? 'is required by this provider'
            : (message ?? 'is not valid')
      }
    })
  }
  const checkSettings = (provider: string, settings: unknown): void => {
    const errors = faultsOf(provider, settings, '/settings')
    if (errors.length > 0) throw new ServiceError('invalid_request', `The settings do not fit ${provider}.`, { errors })
  }
  return { faultsOf, checkSettings }
}
