import type { Migration } from './words.ts'

/** The audit log as a chain. */
export const audit: readonly Migration[] = [
  {
    // What a release before this one writes has no place: it gets one with the next entry of this one.
    name: '041_audit_chain',
    statements: ({ int, id, strict, dialect }) => [
      ...['subject text', 'address text', `position ${int}`, 'hash text'].map(
        column => `alter table audit add column ${column}`
      ),
      'create unique index audit_position on audit (position)',
      'create index audit_loose on audit (id) where position is null',
      `create table audit_chain (name ${id} primary key, position ${int} not null, hash text not null) ${strict}`,
      `insert into audit_chain (name, position, hash) values ('start', 0, ''), ('end', 0, '')`,
      ...(dialect === 'sqlite'
        ? [
            `create trigger audit_fixed before update on audit when old.hash is not null begin
               select raise(abort, 'an entry of the audit log is never changed'); end`
          ]
        : [
            `create function audit_fixed() returns trigger language plpgsql as $body$
               begin raise exception 'an entry of the audit log is never changed'; end $body$`,
            `create trigger audit_fixed before update on audit for each row when (old.hash is not null)
               execute function audit_fixed()`
          ])
    ]
  }
]
