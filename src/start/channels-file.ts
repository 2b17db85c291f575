import type { Logger } from 'pino'
import type { Channels } from '../channels/channels.ts'
import type { Reload } from './reload.ts'

interface ChannelsFileParts {
  channels: Pick<Channels, 'applyFile'>
  log: Logger
  reload: Pick<Reload, 'add'>
}

/**
 * Applies the channels file, now and whenever the process is told to read its files again.
 * @param again what has to look anew then: nobody is at work yet at the start
 */
export async function followChannelsFile(
  path: string,
  { channels, log, reload }: ChannelsFileParts,
  again: (() => void)[]
): Promise<void> {
  const read = async (): Promise<void> => {
    const lost = await channels.applyFile(path)
    if (lost.length > 0)
      log.warn(
        { channels: lost },
        'channels are missing in the channels file: until they are back their messages wait, and their webhooks are answered 404'
      )
  }
  await read()
  reload.add({
    what: 'the channels file',
    read: async () => {
      await read()
      for (const look of again) look()
    }
  })
}
