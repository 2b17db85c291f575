import type { DryRun } from '../../../schemas/dry-run.ts'
import type { SendMessage } from '../../../schemas/messages.ts'
import type { NativeRequest, ResolvedMedia, ResolvedTemplate } from '../../adapters/adapter.ts'
import type { DispatchChannel } from '../../dispatch/provider-client.ts'
import type { Caller } from '../../keys/caller.ts'
import type { FileNeed } from '../../media/library.ts'
import { linkName } from '../../media/names.ts'
import type { Suppressed } from '../../messages/suppressed.ts'
import type { HeardWindow } from '../../messages/window.ts'
import type { WaitEstimator } from '../scheduling/wait-estimate.ts'
import type { Accept } from './accept.ts'
import type { Preparation, Prepared } from './prepare.ts'

/** Does all that a send does before its row exists, and tells what would leave. Sends and stores nothing. */
export type DryRunner = (caller: Caller, body: SendMessage) => Promise<DryRun>

export interface DryRunParts {
  accept: Accept
  preparation: Preparation
  /** A request as it would stand on the wire, secrets masked. */
  preview: (channel: DispatchChannel, request: NativeRequest) => DryRun['request']
  /** The store's clock. */
  clock: () => number
  waitEstimate: WaitEstimator
  heardWindow: HeardWindow
  suppressed: Suppressed
}

/** Stands where the message's own id would go out. */
export const dryId = `msg_${'0'.repeat(32)}`

const closedWindow = (fallback: boolean): string =>
  `This person has not written for 24 hours, so WhatsApp will refuse this message (window_closed): ${fallback ? 'its fallback is sent then.' : 'send a template, or give a fallback.'}`

/** The file that a send would bring, as far as it is known without bringing it. */
const described = ({ link, media, filename }: FileNeed) => ({
  ...(media && { mediaId: media.id }),
  ...(link !== undefined && { link }),
  filename: filename ?? null,
  mimeType: media?.mime_type ?? null,
  size: media?.size ?? null
})

/** So that an encoder finds a file where it expects one; of a link's nothing is known before it is fetched. */
function withFile(prepared: Prepared, { media, filename, link }: FileNeed): Prepared {
  const name = filename ?? (link === undefined ? 'file' : linkName(link, 'file'))
  const file = {
    path: '',
    size: media?.size ?? 0,
    mimeType: media?.mime_type ?? 'application/octet-stream',
    filename: name
  }
  const content = { ...(prepared.sendable.content as ResolvedMedia), source: { file } }
  return { ...prepared, sendable: { ...prepared.sendable, content } }
}

/** The parts of a multipart body with what is known of the file in place of its path on our disk. */
function parts(body: unknown, need: FileNeed): unknown {
  if (!Array.isArray(body)) return body
  return body.map(part => ('file' in part ? { name: part.name, file: described(need) } : part))
}

export function createDryRun({
  accept,
  preparation,
  preview,
  waitEstimate,
  clock,
  heardWindow,
  suppressed
}: DryRunParts): DryRunner {
  return async (caller, body) => {
    const now = clock()
    const { row, channel, prepared: real, concern } = await accept(caller, body)
    await suppressed.refuse(row, concern)
    const prepared = { ...real, sendable: { ...real.sendable, id: dryId } }
    const { file } = prepared
    const { request, warnings } = preparation.encodeNow(file ? withFile(prepared, file) : prepared, channel)
    const seen = preview(channel, request)
    const { waitMs } = await waitEstimate(channel.id, channel.mode, { type: body.type, to: row.contact! })
    // Templates go at any time; of a message that waits nobody knows what will have been written by then.
    const free = body.type !== 'template' && row.send_at === null
    const closed = free && (await heardWindow(channel, row.contact!)).open === false
    const template = body.type === 'template' ? (prepared.sendable.content as ResolvedTemplate) : undefined
    return {
      channel: channel.id,
      provider: channel.provider,
      mode: channel.mode,
      to: row.contact!,
      type: body.type,
      request: file ? { ...seen, body: parts(seen.body, file) } : seen,
      ...(template && {
        template: {
          name: template.name,
          language: template.language,
          parameterFormat: template.parameterFormat,
          variables: template.flat
        }
      }),
      warnings: [
        ...warnings,
        ...(file?.link ? ['The link is fetched, and its file checked, when the message is sent.'] : []),
        ...(closed ? [closedWindow(body.fallback !== undefined)] : [])
      ],
      expectedWaitSeconds: waitMs === null ? null : Math.ceil(Math.max(waitMs, (row.send_at ?? now) - now) / 1000)
    }
  }
}
