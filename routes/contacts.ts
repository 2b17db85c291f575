import { Type } from '@sinclair/typebox'
import {
  BookChannel,
  Contact,
  ContactChannel,
  ContactFilter,
  ContactPage,
  ContactParams,
  ContactWindow,
  ConversationQuery,
  CreateContact,
  PatchContact
} from '../schemas/contacts.ts'
import { ref, strict } from '../schemas/kit.ts'
import { MessagePage } from '../schemas/messages.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, idempotencyHeader, json, made, noBody, problems } from './answers.ts'
import { answerOnce } from './once.ts'

const tags = ['Contacts']
/** What a call to a provider adds, where it keeps the contacts. */
const asked = [404, 422, 429, 502]

export const contacts: RoutePlugin = app => {
  app.get('/contacts', {
    config: { scope: 'contacts:read' },
    schema: {
      operationId: 'listContacts',
      tags,
      summary: 'List the contacts of a channel, narrowed by name, day and attributes',
      querystring: ContactFilter,
      response: { 200: json(ContactPage, 'One page.'), ...problems(...guarded, ...asked) }
    },
    handler: request => app.contacts.list(request.caller, request.query)
  })

  app.post('/contacts', {
    config: { scope: 'contacts:write' },
    schema: {
      operationId: 'upsertContact',
      tags,
      summary: 'Make a contact, or change the one with this number',
      querystring: strict({}),
      headers: Type.Object(idempotencyHeader),
      body: ref(CreateContact),
      response: {
        200: json(Contact, 'It was known, and is changed.', made),
        201: json(
          Contact,
          'It is made. A provider that does not tell whether it is new answers every success so.',
          made
        ),
        ...problems(...guarded, ...asked, 409, 413, 415, 504)
      }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const { contact, status } = await app.contacts.upsert(request.caller, request.body)
        return {
          object: contact,
          location: `/contacts/${contact.phone ?? contact.userIds[0]}?channel=${contact.channel}`,
          status
        }
      })
  })

  app.get('/contacts/:phone', {
    config: { scope: 'contacts:read' },
    schema: {
      operationId: 'getContact',
      tags,
      summary: 'One contact',
      params: ContactParams,
      querystring: ContactChannel,
      response: { 200: json(Contact, 'The contact.'), ...problems(...guarded, ...asked) }
    },
    handler: request => app.contacts.get(request.caller, request.params.phone, request.query.channel)
  })

  app.patch('/contacts/:phone', {
    config: { scope: 'contacts:write' },
    schema: {
      operationId: 'updateContact',
      tags,
      summary: 'Change the name or attributes of a contact',
      description:
        'Attributes that are not named stay as they are. With a name, a contact that is not there is made; without, it is a 404.',
      params: ContactParams,
      querystring: ContactChannel,
      body: ref(PatchContact),
      response: {
        200: json(Contact, 'The contact as it is now.'),
        ...problems(...guarded, ...asked, 413, 415, 504)
      }
    },
    handler: ({ caller, params, query, body }) => app.contacts.patch(caller, params.phone, query.channel, body)
  })

  app.delete('/contacts/:phone', {
    config: { scope: 'contacts:write' },
    schema: {
      operationId: 'deleteContact',
      tags,
      summary: 'Delete a contact, where Switchboard keeps it',
      params: ContactParams,
      querystring: BookChannel,
      response: { 204: noBody('Deleted.'), ...problems(...guarded, 404, 413, 415, 422) }
    },
    handler: async ({ caller, params, query }, reply) => {
      await app.contacts.remove(caller, params.phone, query.channel)
      return reply.code(204).send()
    }
  })

  app.delete('/contacts/:phone/data', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'erasePerson',
      tags,
      summary: 'Erase a person from everything that is kept here',
      description:
        'On every channel and under every name that is known of the person. Messages keep their counts and times, and lose number, ids, words and notes; what waits is canceled; the audit trail says that it was done, without the number. What a provider keeps itself stays there.',
      params: ContactParams,
      querystring: strict({}),
      response: { 204: noBody('Erased.'), ...problems(...guarded, 404, 409, 413, 415) }
    },
    handler: async ({ caller, params }, reply) => {
      await app.erase(caller, params.phone)
      return reply.code(204).send()
    }
  })

  app.get('/contacts/:phone/messages', {
    config: { scope: 'inbound:read' },
    schema: {
      operationId: 'listConversation',
      tags,
      summary: 'What was said with a contact, newest first',
      description:
        'It shows what the person wrote, so it needs `inbound:read`. From the provider’s own history where it keeps one, with ids of its own; else from the messages that this key may see. A page may hold fewer than its limit; only a null nextCursor is the end.',
      params: ContactParams,
      querystring: ConversationQuery,
      response: { 200: json(MessagePage, 'One page.'), ...problems(...guarded, ...asked) }
    },
    handler: request => app.history.list(request.caller, request.params.phone, request.query)
  })

  app.get('/contacts/:phone/window', {
    config: { scope: 'contacts:read' },
    schema: {
      operationId: 'getContactWindow',
      tags,
      summary: 'Whether a message without a template can be sent now',
      params: ContactParams,
      querystring: ContactChannel,
      response: { 200: json(ContactWindow, 'As far as it is known here.'), ...problems(...guarded, ...asked) }
    },
    handler: request => app.history.window(request.caller, request.params.phone, request.query.channel)
  })
}
