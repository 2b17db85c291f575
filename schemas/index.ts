import type { TSchema } from '@sinclair/typebox'
import { AuditEntry, AuditPage } from './audit.ts'
import { Capabilities, Channel, ChannelPage, CreateChannel, PatchChannel } from './channels.ts'
import { contentParts } from './content.ts'
import { CreateKey, Key, KeyPage, KeyWithSecret, PatchKey } from './keys.ts'
import { Media } from './media.ts'
import { Message, MessagePage, outboundSchemas, SendMessage, Timeline, TimelineEntry } from './messages.ts'
import { FieldFault, MessageError, Problem, ProviderError } from './problem.ts'

/** Every named schema, in the order of the document: what is pointed at must be here. */
export const namedSchemas: readonly TSchema[] = [
  SendMessage,
  ...outboundSchemas,
  ...contentParts,
  Message,
  MessagePage,
  Timeline,
  TimelineEntry,
  Media,
  CreateChannel,
  PatchChannel,
  Channel,
  ChannelPage,
  Capabilities,
  CreateKey,
  PatchKey,
  Key,
  KeyPage,
  KeyWithSecret,
  AuditEntry,
  AuditPage,
  Problem,
  MessageError,
  ProviderError,
  FieldFault
]
