import type { SendMessage } from '../../../schemas/messages.ts'
import type { FieldFault } from '../../../schemas/problem.ts'
import { ServiceError } from '../../errors.ts'

// What JSON Schema cannot say of a message, and WhatsApp refuses for certain (docs/upstream.md 4.2).

const repeated = (values: (string | undefined)[], path: (i: number) => string, what: string): FieldFault[] =>
  values.flatMap((value, i) =>
    value !== undefined && values.indexOf(value) !== i
      ? [{ path: path(i), message: `repeats ${what} that stands before` }]
      : []
  )

function listFaults({ sections }: Extract<SendMessage, { type: 'list' }>['list']): FieldFault[] {
  const rows = sections.flatMap((section, s) =>
    section.rows.map((row, r) => ({ ...row, path: `/list/sections/${s}/rows/${r}` }))
  )
  return [
    ...(rows.length > 10
      ? [{ path: '/list/sections', message: `must have at most 10 rows in all, has ${rows.length}` }]
      : []),
    ...(sections.length > 1
      ? sections.flatMap((section, s) =>
          section.title
            ? []
            : [{ path: `/list/sections/${s}/title`, message: 'must be given where there is more than one section' }]
        )
      : []),
    ...repeated(
      rows.map(row => row.id),
      i => `${rows[i]!.path}/id`,
      'an id'
    )
  ]
}

function buttonFaults({ buttons }: Extract<SendMessage, { type: 'buttons' }>['buttons']): FieldFault[] {
  return [
    ...repeated(
      buttons.map(button => button.id),
      i => `/buttons/buttons/${i}/id`,
      'an id'
    ),
    ...repeated(
      buttons.map(button => button.title),
      i => `/buttons/buttons/${i}/title`,
      'a title'
    )
  ]
}

function templateFaults({ buttons }: Extract<SendMessage, { type: 'template' }>['template']): FieldFault[] {
  return [
    ...(buttons ?? []).flatMap((button, i) =>
      button.type === 'copy_code' && button.value.length > 15
        ? [{ path: `/template/buttons/${i}/value`, message: 'must have at most 15 characters' }]
        : []
    ),
    ...repeated(
      (buttons ?? []).map(button => String(button.index)),
      i => `/template/buttons/${i}/index`,
      'a button'
    )
  ]
}

const metadataLimit = 4096

/** Throws one 400 with every fault. */
export function checkRules(body: SendMessage, now: number): void {
  const faults: FieldFault[] = []
  if (body.type === 'list') faults.push(...listFaults(body.list))
  if (body.type === 'buttons') faults.push(...buttonFaults(body.buttons))
  if (body.type === 'template') faults.push(...templateFaults(body.template))
  if (body.type === 'reaction' && body.replyTo !== undefined)
    faults.push({ path: '/replyTo', message: 'has no place on a reaction, whose messageId names its target' })
  if (body.metadata && Buffer.byteLength(JSON.stringify(body.metadata)) > metadataLimit)
    faults.push({ path: '/metadata', message: 'must be at most 4 KiB as JSON' })
  if (body.expiresAt !== undefined && Date.parse(body.expiresAt) <= now)
    faults.push({ path: '/expiresAt', message: 'must lie in the future' })
  if (body.deliverBy !== undefined && Date.parse(body.deliverBy) <= Math.max(now, Date.parse(body.sendAt ?? '') || 0))
    faults.push({ path: '/deliverBy', message: 'must lie in the future, and after sendAt' })
  if (
    body.sendAt !== undefined &&
    body.expiresAt !== undefined &&
    Date.parse(body.sendAt) >= Date.parse(body.expiresAt)
  ) {
    faults.push({ path: '/sendAt', message: 'must lie before expiresAt' })
  }
  if (faults.length > 0)
    throw new ServiceError('invalid_request', faults.map(fault => `${fault.path} ${fault.message}`).join('; '), {
      errors: faults
    })
}
