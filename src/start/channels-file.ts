import type { Logger } from 'pino'
import type { Channels } from '../channels/channels.ts'
import type { Reloadable } from './reload.ts'

/** The channels file, as it is read at the start and whenever the process is told to. */
export const channelsFile = (path: string, channels: Pick<Channels, 'applyFile'>, log: Logger): Reloadable => ({
  what: 'the channels file',
  read: async () => {
    const lost = await channels.applyFile(path)
    if (lost.length > 0)
      log.warn(
        { channels: lost },
        'channels are missing in the channels file: until they are back their messages wait, and their webhooks are answered 404'
      )
  }
})
