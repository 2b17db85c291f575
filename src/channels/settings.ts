import { Ajv, type ValidateFunction } from 'ajv'
import { OptOut, ownSettings, SendingWindow } from '../../schemas/channel-settings.ts'
import type { FieldFault } from '../../schemas/problem.ts'
import type { AnyAdapter } from '../adapters/adapter.ts'
import { ServiceError } from '../errors.ts'
import type { Seal } from '../keys/seal.ts'
import { windowFaults } from '../quiet-hours/window.ts'

export interface SettingsCheck {
  /** Every fault of a channel's settings, by the schema of its provider. */
  faultsOf: (provider: string, settings: unknown, at: string) => FieldFault[]
  /** Throws the 400 that names them. */
  checkSettings: (provider: string, settings: unknown) => void
  /** The names of a provider's secret settings. */
  secretsOf: (provider: string) => string[]
  withoutSecrets: <S extends object>(provider: string, settings: S) => S
  onlySecrets: (provider: string, settings: object) => object
  /** Settings as they rest in the store: secrets sealed, so that a stolen database holds none. */
  pack: (provider: string, settings: Record<string, unknown>) => string
  unpack: (provider: string, packed: string) => Record<string, unknown>
}

/** A sealed value begins so: no setting of its own can, since that is no printable word. */
const sealed = 'sealed 1 '

// The schemas are ours, and a test holds them against the meta-schema: compiling that here would be a part of every start, as
// would be what makes a check faster that runs once for each channel.
const ajv = new Ajv({
  allErrors: true,
  coerceTypes: false,
  meta: false,
  validateSchema: false,
  code: { optimize: false }
})
// Our own word, which says nothing about validity.
ajv.addKeyword('secret')
ajv.addSchema(OptOut).addSchema(SendingWindow)
const compiled = new WeakMap<AnyAdapter, ValidateFunction>()

/** The validator of a provider's settings and ours, compiled when it is first needed. */
function validatorOf(adapter: AnyAdapter): ValidateFunction {
  let found = compiled.get(adapter)
  if (!found) {
    const { settings } = adapter
    found = ajv.compile({ ...settings, properties: { ...settings.properties, ...ownSettings } })
    compiled.set(adapter, found)
  }
  return found
}

export function createSettingsCheck(adapters: ReadonlyMap<string, AnyAdapter>, seal: Seal): SettingsCheck {
  const faultsOf = (provider: string, settings: unknown, at: string): FieldFault[] => {
    const adapter = adapters.get(provider)
    if (!adapter)
      return [
        { path: at.replace(/settings$/, 'provider'), message: `must be one of ${[...adapters.keys()].join(', ')}` }
      ]
    const validate = validatorOf(adapter)
    if (validate(settings)) {
      const { broadcastWindow: window } = settings as { broadcastWindow?: SendingWindow }
      const faults = window ? windowFaults(window) : []
      return faults.map(({ member, message }) => ({ path: `${at}/broadcastWindow/${member}`, message }))
    }
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
  const secretsOf = (provider: string): string[] =>
    Object.entries(adapters.get(provider)?.settings.properties ?? {}).flatMap(([name, schema]) =>
      (schema as { secret?: boolean }).secret ? [name] : []
    )
  const eachSecret = (provider: string, settings: Record<string, unknown>, change: (value: string) => string) => {
    const changed = { ...settings }
    for (const name of secretsOf(provider)) if (typeof changed[name] === 'string') changed[name] = change(changed[name])
    return changed
  }
  const filtered = (provider: string, settings: object, secret: boolean) => {
    const names = new Set(secretsOf(provider))
    return Object.fromEntries(Object.entries(settings).filter(([name]) => names.has(name) === secret))
  }
  return {
    faultsOf,
    checkSettings,
    secretsOf,
    withoutSecrets: (provider, settings) => filtered(provider, settings, false) as typeof settings,
    onlySecrets: (provider, settings) => filtered(provider, settings, true),
    pack: (provider, settings) => JSON.stringify(eachSecret(provider, settings, value => sealed + seal.close(value))),
    unpack: (provider, packed) =>
      eachSecret(provider, JSON.parse(packed) as Record<string, unknown>, value =>
        value.startsWith(sealed) ? seal.open(value.slice(sealed.length)) : value
      )
  }
}
