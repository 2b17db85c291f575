import type { TSchema } from '@sinclair/typebox'
import { AuditEntry, AuditPage } from './audit.ts'
import {
  Broadcast,
  BroadcastCheck,
  BroadcastCounts,
  BroadcastPage,
  BroadcastTemplate,
  CreateBroadcast,
  Recipient
} from './broadcasts.ts'
import { ChannelHealth } from './channel-health.ts'
import { OptOut, SendingWindow } from './channel-settings.ts'
import { Capabilities, Channel, ChannelPage, CreateChannel, PatchChannel } from './channels.ts'
import { Connection, ConnectionPage, CreateConnection } from './connections.ts'
import { Contact, ContactImport, ContactPage, ContactWindow, CreateContact, PatchContact } from './contacts.ts'
import { contentParts } from './content.ts'
import { Assignee, MarkRead } from './conversations.ts'
import { Delivery, DeliveryAttempt, DeliveryPage, ReplayEvents, TestSubscription } from './deliveries.ts'
import { DryRun } from './dry-run.ts'
import { Event, EventPage, eventForms } from './events.ts'
import { Hold } from './hold.ts'
import { CreateIdentity, Identity, IdentityPage, PatchIdentity } from './identities.ts'
import {
  CreateKey,
  Key,
  KeyPage,
  KeySecret,
  KeyWithSecret,
  PatchKey,
  Quota,
  RateLimit,
  RevokedKey,
  RotateKey
} from './keys.ts'
import { Media } from './media.ts'
import { Message, MessagePage, outboundSchemas, SendMessage, Timeline, TimelineEntry } from './messages.ts'
import { PhoneNumber, PhoneNumberPage, Profile, UpdateProfile } from './numbers.ts'
import { Backlog, Overview } from './overview.ts'
import { FieldFault, MessageError, Problem, ProviderError } from './problem.ts'
import {
  CreateSubscription,
  PatchSubscription,
  RotateSubscription,
  Subscription,
  SubscriptionPage,
  SubscriptionWithSecret
} from './subscriptions.ts'
import { CreateSuppression, Suppression, SuppressionImport, SuppressionPage } from './suppressions.ts'
import { CreateTemplate, Template, TemplatePage, TemplateSet, TemplateVariable } from './templates.ts'
import { ResendMessage, ResolvedMessages, ResolveMessage, ResolveMessages } from './unknown.ts'
import { Usage, UsageItem } from './usage.ts'
import { ChannelWebhooks, ReplayedWebhooks, ReplayWebhooks, RotateWebhook, WebhookRegistration } from './webhooks.ts'

/** Every named schema, in the order of the document: what is pointed at must be here. */
export const namedSchemas: readonly TSchema[] = [
  SendMessage,
  ...outboundSchemas,
  ...contentParts,
  Message,
  MessagePage,
  DryRun,
  Timeline,
  TimelineEntry,
  ResendMessage,
  ResolveMessage,
  ResolveMessages,
  ResolvedMessages,
  MarkRead,
  CreateBroadcast,
  BroadcastTemplate,
  Recipient,
  Broadcast,
  BroadcastCounts,
  BroadcastCheck,
  BroadcastPage,
  CreateTemplate,
  Template,
  TemplateVariable,
  TemplatePage,
  TemplateSet,
  Assignee,
  Media,
  CreateContact,
  PatchContact,
  Contact,
  ContactPage,
  ContactImport,
  ContactWindow,
  CreateSuppression,
  Suppression,
  SuppressionPage,
  SuppressionImport,
  OptOut,
  SendingWindow,
  CreateChannel,
  PatchChannel,
  Channel,
  ChannelPage,
  Capabilities,
  ChannelHealth,
  ChannelWebhooks,
  WebhookRegistration,
  RotateWebhook,
  ReplayWebhooks,
  ReplayedWebhooks,
  PhoneNumber,
  PhoneNumberPage,
  Profile,
  UpdateProfile,
  CreateConnection,
  Connection,
  ConnectionPage,
  CreateIdentity,
  PatchIdentity,
  Identity,
  IdentityPage,
  Usage,
  UsageItem,
  CreateKey,
  PatchKey,
  RateLimit,
  Quota,
  RotateKey,
  Key,
  KeyPage,
  RevokedKey,
  KeySecret,
  KeyWithSecret,
  AuditEntry,
  AuditPage,
  Hold,
  Event,
  EventPage,
  CreateSubscription,
  PatchSubscription,
  RotateSubscription,
  Subscription,
  SubscriptionWithSecret,
  SubscriptionPage,
  Delivery,
  DeliveryAttempt,
  DeliveryPage,
  TestSubscription,
  ReplayEvents,
  ...eventForms,
  Overview,
  Backlog,
  Problem,
  MessageError,
  ProviderError,
  FieldFault
]
