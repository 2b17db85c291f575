import { ref, strict } from '../schemas/kit.ts'
import {
  NumberParams,
  PhoneNumber,
  PhoneNumberPage,
  PhoneNumberQuery,
  Profile,
  UpdateProfile
} from '../schemas/numbers.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, json, problems } from './answers.ts'

const tags = ['Channels']
const asked = [...guarded, 404, 422, 429, 502]

export const numbers: RoutePlugin = app => {
  app.get('/channels/:id/phone-numbers', {
    config: { scope: 'channels:read' },
    schema: {
      operationId: 'listPhoneNumbers',
      tags,
      summary: "The phone numbers of the channel's account",
      params: NumberParams,
      querystring: PhoneNumberQuery,
      response: { 200: json(PhoneNumberPage, 'One page.'), ...problems(...asked) }
    },
    handler: request => app.numbers.list(request.caller, request.params.id, request.query)
  })

  app.get('/channels/:id/phone-number', {
    config: { scope: 'channels:read' },
    schema: {
      operationId: 'getPhoneNumber',
      tags,
      summary: 'The phone number that the channel sends from',
      params: NumberParams,
      querystring: strict({}),
      response: { 200: json(PhoneNumber, 'The number.'), ...problems(...asked) }
    },
    handler: request => app.numbers.get(request.caller, request.params.id)
  })

  app.get('/channels/:id/profile', {
    config: { scope: 'channels:read' },
    schema: {
      operationId: 'getProfile',
      tags,
      summary: 'The business profile that recipients see',
      params: NumberParams,
      querystring: strict({}),
      response: { 200: json(Profile, 'The profile; what was never set is absent.'), ...problems(...asked) }
    },
    handler: request => app.numbers.profile(request.caller, request.params.id)
  })

  app.patch('/channels/:id/profile', {
    config: { scope: 'channels:write' },
    schema: {
      operationId: 'updateProfile',
      tags,
      summary: 'Change the business profile',
      description: 'What is given replaces, empty text clears, the rest stays.',
      params: NumberParams,
      querystring: strict({}),
      body: ref(UpdateProfile),
      response: { 200: json(Profile, 'The profile as it is now.'), ...problems(...asked, 409, 413, 415, 504) }
    },
    handler: request => app.numbers.update(request.caller, request.params.id, request.body)
  })
}
