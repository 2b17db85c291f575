import type { Operation } from '../call.ts'
import { sendTemplateMessages, sendTemplateMessagesV2 } from './bulk.ts'
import { addContact, assignOperator, getContacts, updateContactAttributes } from './contacts.ts'
import { sendTemplateMessageCSV } from './csv.ts'
import { createEndpoints, deleteEndpoint, listEndpoints, listEventTypes } from './endpoints.ts'
import { getMedia, getMessages } from './history.ts'
import { sendInteractiveButtonsMessage, sendInteractiveListMessage } from './interactive.ts'
import { sendSessionFile, sendSessionMessage } from './session.ts'
import { getMessageTemplates, sendTemplateMessage, sendTemplateMessageV2 } from './template.ts'

const send = { provider: 'wati', kind: 'send', method: 'POST' } as const
const read = { provider: 'wati', kind: 'read', method: 'GET', body: 'none' } as const
const write = { provider: 'wati', kind: 'write', method: 'POST' } as const

const PAGE = ['pageSize', 'pageNumber'] as const
const RECIPIENT = ['whatsappNumber', 'target'] as const

/** Rows 5 to 20 of docs/upstream.md 5. */
export const watiOperations: readonly Operation[] = [
  {
    ...read,
    name: 'wati.getContacts',
    path: '/wati/api/v1/getContacts',
    query: [...PAGE, 'name', 'attribute', 'createdDate'],
    prepare: getContacts
  },
  {
    ...write,
    name: 'wati.addContact',
    path: '/wati/api/v1/addContact/:number',
    query: ['sourceType'],
    body: 'json',
    prepare: addContact
  },
  {
    ...write,
    name: 'wati.updateContactAttributes',
    path: '/wati/api/v1/updateContactAttributes/:number',
    query: [],
    body: 'json',
    prepare: updateContactAttributes
  },
  {
    ...read,
    name: 'wati.getMessages',
    path: '/wati/api/v1/getMessages/:target',
    query: [...PAGE, 'channelPhoneNumber'],
    prepare: getMessages
  },
  {
    ...send,
    name: 'wati.sendSessionMessage',
    path: '/wati/api/v1/sendSessionMessage/:number',
    shape: 'session',
    query: ['messageText', 'replyContextId', 'channelPhoneNumber', 'localMessageId', 'target'],
    body: 'text form',
    prepare: sendSessionMessage
  },
  {
    ...send,
    name: 'wati.sendSessionFile',
    path: '/wati/api/v1/sendSessionFile/:number',
    shape: 'session',
    query: ['caption', 'channelPhoneNumber', 'voice', 'target'],
    body: 'multipart',
    prepare: sendSessionFile
  },
  {
    ...read,
    name: 'wati.getMessageTemplates',
    path: '/wati/api/v1/getMessageTemplates',
    query: [...PAGE, 'channelPhoneNumber'],
    prepare: getMessageTemplates
  },
  {
    ...send,
    name: 'wati.sendTemplateMessage',
    path: '/wati/api/v1/sendTemplateMessage',
    shape: 'template',
    query: RECIPIENT,
    body: 'json',
    prepare: sendTemplateMessage
  },
  {
    ...send,
    name: 'wati.sendTemplateMessages',
    path: '/wati/api/v1/sendTemplateMessages',
    shape: 'bulk',
    query: [],
    body: 'json',
    prepare: sendTemplateMessages
  },
  {
    ...send,
    name: 'wati.sendTemplateMessageCSV',
    path: '/wati/api/v1/sendTemplateMessageCSV',
    shape: 'plain',
    query: ['template_name', 'broadcast_name', 'channelPhoneNumber'],
    body: 'multipart',
    prepare: sendTemplateMessageCSV
  },
  {
    ...send,
    name: 'wati.sendTemplateMessageV2',
    path: '/wati/api/v2/sendTemplateMessage',
    shape: 'templateV2',
    query: RECIPIENT,
    body: 'json',
    prepare: sendTemplateMessageV2
  },
  {
    ...send,
    name: 'wati.sendTemplateMessagesV2',
    path: '/wati/api/v2/sendTemplateMessages',
    shape: 'bulkV2',
    query: [],
    body: 'json',
    prepare: sendTemplateMessagesV2
  },
  {
    ...send,
    name: 'wati.sendInteractiveButtonsMessage',
    path: '/wati/api/v1/sendInteractiveButtonsMessage',
    shape: 'interactive',
    query: [...RECIPIENT, 'channelPhoneNumber'],
    body: 'json',
    prepare: sendInteractiveButtonsMessage
  },
  {
    ...send,
    name: 'wati.sendInteractiveListMessage',
    path: '/wati/api/v1/sendInteractiveListMessage',
    shape: 'interactive',
    query: [...RECIPIENT, 'channelPhoneNumber'],
    body: 'json',
    prepare: sendInteractiveListMessage
  },
  {
    ...write,
    name: 'wati.assignOperator',
    path: '/wati/api/v1/assignOperator',
    query: [...RECIPIENT, 'email', 'channelPhoneNumber'],
    body: 'none',
    prepare: assignOperator
  },
  { ...read, name: 'wati.getMedia', path: '/wati/api/v1/getMedia', query: ['fileName'], prepare: getMedia },
  // docs/webhooks.md D2
  {
    ...write,
    name: 'wati.createWebhookEndpoints',
    path: '/wati/api/v2/webhookEndpoints',
    query: [],
    body: 'json',
    prepare: createEndpoints
  },
  {
    ...read,
    name: 'wati.listEventTypes',
    path: '/wati/api/ext/v3/webhooks/event-types',
    query: [],
    prepare: listEventTypes
  },
  { ...read, name: 'wati.listWebhookEndpoints', path: '/wati/api/ext/v3/webhooks', query: [], prepare: listEndpoints },
  {
    ...write,
    name: 'wati.deleteWebhookEndpoint',
    method: 'DELETE',
    path: '/wati/api/ext/v3/webhooks/:hook',
    query: [],
    body: 'none',
    prepare: deleteEndpoint
  }
]
