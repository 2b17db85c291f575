import type { BroadcastTemplate } from '../../schemas/broadcasts.ts'
import type { FieldFault } from '../../schemas/problem.ts'
import type { Frame } from '../delivery/intake/prepare.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, requireRecipient } from '../keys/caller.ts'
import { isUserId, readPerson } from '../phone.ts'
import type { Opening } from '../quiet-hours/index.ts'
import { type Row, rowsOf, type Source } from './rows.ts'

/** A recipient that nothing speaks against. */
export interface Ready {
  /** Digits only. */
  to: string
  /** The message's template content, as JSON. */
  content: string
  reference: string | null
  /** Why the person must not be messaged, as a row keeps an error. */
  refusal?: string
  /** When the person's window opens; absent: there is none, or it is open. */
  runAt?: number
}

/** What has been counted of the rows so far. */
export interface Tally {
  total: number
  duplicates: number
  skipped: number
  faultCount: number
  /** The first of them. */
  faults: FieldFault[]
}

export const newTally = (): Tally => ({ total: 0, duplicates: 0, skipped: 0, faultCount: 0, faults: [] })

/** What every row is held against. */
export interface Rules {
  caller: Caller
  template: BroadcastTemplate
  frame: Frame
  /** When a message to a person may go first; absent: at any time. */
  opensAt?: (person: string) => Opening
}

const mostFaults = 100
const longest = { reference: 128, value: 32_768 }
const ofVariables = '/template/variables/'

/**
 * The recipients that can be written to, some at a time and each once: of rows with the same number the first counts. Faults of
 * rows go onto the tally; what is wrong for all of them is thrown.
 */
export async function* recipientsOf(source: Source, rules: Rules, tally: Tally): AsyncGenerator<Ready[]> {
  const seen = new Set<number | string>()
  const take = (row: Row): Ready | undefined => {
    const faults: FieldFault[] = []
    const ready = readyOf(row, rules, faults)
    if (!ready) {
      tally.skipped++
      tally.faultCount += faults.length
      tally.faults.push(...faults.slice(0, mostFaults - tally.faults.length))
      return undefined
    }
    // 15 digits at most: exact as a number, which takes a fifth of what a text does.
    const person = isUserId(ready.to) ? ready.to : Number(ready.to)
    if (seen.has(person)) {
      tally.duplicates++
      return undefined
    }
    seen.add(person)
    tally.total++
    return ready
  }
  for await (const some of rowsOf(source, columns => requireVariables(columns, rules)))
    yield some.map(take).filter(ready => ready !== undefined)
}

/** The 400 that tells of all faults, or of the first hundred. */
export function refusal({ skipped, faultCount, faults }: Tally): ServiceError {
  const said = faults.slice(0, 5).map(({ path, message }) => `${path} ${message}`)
  const more = faultCount > said.length ? ` … ${faultCount} faults in ${skipped} rows in all.` : ''
  return new ServiceError('invalid_request', `${said.join('; ')}${more}`, { errors: faults })
}

/** Faults of the variables by name; any other is one of the template itself and is thrown. */
function variableFaults(work: () => unknown): { name: string; message: string }[] {
  try {
    work()
    return []
  } catch (error) {
    const { code, facts } = error as ServiceError
    if (!(error instanceof ServiceError) || code !== 'template_invalid' || !facts.errors) throw error
    if (!facts.errors.every(({ path }) => path.startsWith(ofVariables))) throw error
    return facts.errors.map(({ path, message }) => ({ name: path.slice(ofVariables.length), message }))
  }
}

/** A column too many or too few is a fault of the header, told once and not for every row. */
function requireVariables(columns: string[], { frame }: Rules): void {
  const faults = variableFaults(() => frame.fill(Object.fromEntries(columns.map(column => [column, 'x'])))).map(
    ({ name, message }) => ({ path: `/file/0/${name}`, message })
  )
  if (faults.length > 0)
    throw new ServiceError('invalid_request', faults.map(({ path, message }) => `${path} ${message}`).join('; '), {
      errors: faults
    })
}

/** Why no time is within the window, as a sentence about a number. */
const windowless = {
  nowhere: 'is of no country that is known, so nobody can say what time it is there: give the window a time zone',
  never:
    'is of a country with so many time zones that the window is never open in all of them: make it longer, or give it a time zone'
} as const

function readyOf(row: Row, { caller, template, frame, opensAt }: Rules, faults: FieldFault[]): Ready | undefined {
  const fault = (path: string, message: string) => faults.push({ path, message })
  const ofVariable = (name: string, message: string) =>
    fault(`${row.variablesPath}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, message)
  if (row.faults) {
    for (const { column, message } of row.faults)
      fault(column === undefined ? row.path : `${row.path}/${column}`, message)
    return undefined
  }
  const { value: to, fault: misread } = readPerson(row.to)
  if (to === undefined) fault(`${row.path}/${row.toName}`, misread)
  else requireRight(caller, to, `${row.path}/${row.toName}`)
  const { reference = null, variables } = row
  if (reference !== null && reference.length > longest.reference)
    fault(`${row.path}/reference`, `must not have more than ${longest.reference} characters`)
  if (reference?.includes('\0')) fault(`${row.path}/reference`, 'must not hold NUL')
  for (const [name, value] of Object.entries(variables)) {
    if (value.includes('\0')) ofVariable(name, 'must not hold NUL')
    if (value.length > longest.value) ofVariable(name, `must not have more than ${longest.value} characters`)
  }
  const wrong = variableFaults(() => frame.fill(variables))
  for (const { name, message } of wrong) ofVariable(name, message)
  const opens = to === undefined || faults.length > 0 ? undefined : opensAt?.(to)
  if (typeof opens === 'string') fault(`${row.path}/${row.toName}`, windowless[opens])
  if (to === undefined || faults.length > 0) return undefined
  const some = Object.keys(variables).length > 0
  const content = JSON.stringify({ ...template, ...(some && { variables }) })
  return { to, reference, content, ...(typeof opens === 'number' && { runAt: opens }) }
}

/** A right that is missing is no fault of the row: it is refused, also where invalid rows are to be left out. */
function requireRight(caller: Caller, to: string, path: string): void {
  try {
    requireRecipient(caller, to)
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    throw new ServiceError(error.code, `${path}: ${error.message}`)
  }
}
