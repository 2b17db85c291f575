import type { NativeAnswer, NativeRequest, Operations } from '../adapter.ts'
import { granted, string, unreadable } from './decode.ts'
import { graphPath, type Settings } from './settings.ts'

// The files that people send: Meta tells where they lie, and gives them out for a token of its own (docs/upstream.md 4.6).

/** Where Meta keeps files; an answer that names another host is not believed (docs/reliability.md T23). */
const hosts = new Set(['lookaside.fbsbx.com', 'graph.facebook.com'])

/** With the number's id, Meta answers only for media of this number (4.6). */
export const locateRequest = (settings: Settings, { path }: Operations['locateMedia']['input']): NativeRequest => ({
  method: 'GET',
  path: graphPath(settings, path),
  query: { phone_number_id: settings.phoneNumberId }
})

export function located(answer: NativeAnswer): Operations['locateMedia']['output'] {
  const { url, mime_type } = granted(answer)
  const at = URL.parse(string(url) ?? '')
  if (at?.protocol !== 'https:' || at.port !== '' || at.username !== '' || !hosts.has(at.hostname))
    throw unreadable(answer, 'an address of Meta’s for the file')
  const mimeType = string(mime_type)
  return { url: at.href, ...(mimeType !== undefined && { mimeType }) }
}
