import type { Migration } from './words.ts'

/** Callers that are known by tokens of an issuer of their own. */
export const identities: readonly Migration[] = [
  {
    name: '040_caller_identities',
    statements: ({ int, id, strict }) => [
      `create table caller_identities (
        id ${id} primary key, service text not null, name text, mode text not null, issuer text not null,
        audience text not null, claims text not null, revoked_subjects text not null, jwks_uri text, jwks_token text,
        jwks_ca text, jwks_token_file text, jwks_ca_file text, scopes text not null, channels text, templates text,
        recipient_prefixes text, cidrs text, default_channel text, rate_limit text, quota text, managed_by text not null,
        expires_at ${int}, revoked_at ${int}, last_used_at ${int}, last_used_from text, created_at ${int} not null,
        created_by text not null
      ) ${strict}`,
      'create index caller_identities_service on caller_identities (service, id)'
    ]
  }
]
