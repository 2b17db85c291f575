import type { Operation } from '../call.ts'
import { deleteMedia, uploadMedia } from './media.ts'
import { postMessages } from './messages.ts'
import { getObject, getProfile, listPhoneNumbers, updateProfile } from './numbers.ts'
import { listSubscribedApps, setNumberWebhook, subscribeApp, unsubscribeApp } from './subscriptions.ts'
import { createTemplate } from './template-create.ts'
import { deleteTemplate, listTemplates } from './templates.ts'

const read = { provider: 'cloud', kind: 'read', method: 'GET', body: 'none' } as const
const post = { provider: 'cloud', kind: 'write', method: 'POST', query: [] } as const
const remove = { provider: 'cloud', kind: 'write', method: 'DELETE', body: 'none' } as const

const ROOT = '/whatsapp-business/:version/:id'
const PAGE = ['limit', 'after', 'before'] as const

/** Rows 21 to 41 of docs/upstream.md 5. */
export const cloudOperations: readonly Operation[] = [
  // rows 21 to 31; a mark-read is told apart by its body and then named cloud.markRead
  { ...post, name: 'cloud.sendMessage', kind: 'send', path: `${ROOT}/messages`, body: 'json', prepare: postMessages },
  { ...post, name: 'cloud.uploadMedia', path: `${ROOT}/media`, body: 'multipart', prepare: uploadMedia },
  // rows 33 and 38 share a path; named cloud.getMedia where the id is in the media range
  { ...read, name: 'cloud.getPhoneNumber', path: ROOT, query: ['fields', 'phone_number_id'], prepare: getObject },
  { ...remove, name: 'cloud.deleteMedia', path: ROOT, query: ['phone_number_id'], prepare: deleteMedia },
  {
    ...read,
    name: 'cloud.listTemplates',
    path: `${ROOT}/message_templates`,
    query: [...PAGE, 'fields', 'status', 'category', 'language', 'name', 'name_or_content', 'quality_score'],
    prepare: listTemplates
  },
  { ...post, name: 'cloud.createTemplate', path: `${ROOT}/message_templates`, body: 'json', prepare: createTemplate },
  {
    ...remove,
    name: 'cloud.deleteTemplate',
    path: `${ROOT}/message_templates`,
    query: ['name', 'hsm_id'],
    prepare: deleteTemplate
  },
  {
    ...read,
    name: 'cloud.listPhoneNumbers',
    path: `${ROOT}/phone_numbers`,
    query: [...PAGE, 'fields', 'filtering', 'sort'],
    prepare: listPhoneNumbers
  },
  {
    ...read,
    name: 'cloud.getProfile',
    path: `${ROOT}/whatsapp_business_profile`,
    query: ['fields'],
    prepare: getProfile
  },
  {
    ...post,
    name: 'cloud.updateProfile',
    path: `${ROOT}/whatsapp_business_profile`,
    body: 'json',
    prepare: updateProfile
  },
  // docs/webhooks.md C2
  { ...post, name: 'cloud.setNumberWebhook', path: ROOT, body: 'json', prepare: setNumberWebhook },
  { ...post, name: 'cloud.subscribeApp', path: `${ROOT}/subscribed_apps`, body: 'json or none', prepare: subscribeApp },
  {
    ...read,
    name: 'cloud.listSubscribedApps',
    path: `${ROOT}/subscribed_apps`,
    query: [],
    prepare: listSubscribedApps
  },
  { ...remove, name: 'cloud.unsubscribeApp', path: `${ROOT}/subscribed_apps`, query: [], prepare: unsubscribeApp }
]
