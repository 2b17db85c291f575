import { DatabaseSync, StatementSync } from 'node:sqlite'
import { CompiledQuery } from 'kysely'
import { pino } from 'pino'
import type { AnyAdapter, Operation, Verdict } from '../../src/adapters/adapter.ts'
import { adapters } from '../../src/adapters/index.ts'
import { type Config, loadConfig } from '../../src/config.ts'
import { buildContainer, type Switchboard } from '../../src/container.ts'
import { judge } from '../../src/dispatch/verdict.ts'
import { armFailpoint } from '../../src/failpoints.ts'
import { startSandbox } from '../../src/sandbox/index.ts'
import { openStore } from '../../src/store/index.ts'

// Switchboard with one safety taken out, as a process: node broken.ts <name>. The judge must find every one of them.

interface Sabotage {
  /** What is to be found. */
  says: string
  adapters?: (adapter: AnyAdapter) => AnyAdapter
  /** Before anything is opened. */
  before?: (config: Config) => Promise<void>
  after?: (board: Switchboard) => void
}

/** Whatever is unknown gets another verdict, of every call or of one operation. */
const insteadOfUnknown =
  (more: Pick<Verdict, 'code' | 'later'>, only?: Operation) =>
  (adapter: AnyAdapter): AnyAdapter => ({
    ...adapter,
    classify: (failure, operation = 'sendMessage') => {
      const said = adapter.classify(failure, operation)
      if (only !== undefined && operation !== only) return said
      const verdict = said ?? judge(failure, operation, adapter.provider)
      return verdict.outcome === 'unknown' ? { ...verdict, outcome: 'not_sent', ...more } : verdict
    }
  })

/** A disk that says done and is not: commits are held back, and what was answered meanwhile dies with the process. */
function holdCommits(): void {
  const { exec } = DatabaseSync.prototype
  const { get } = StatementSync.prototype
  // SQLite refuses a look at its log while a commit is held back.
  StatementSync.prototype.get = function (...values) {
    if (this.sourceSQL.includes('wal_checkpoint(NOOP)')) return { log: 0, checkpointed: 0 }
    return get.apply(this, values as never)
  }
  const open = new WeakMap<DatabaseSync, number>()
  DatabaseSync.prototype.exec = function (statement) {
    const held = open.get(this) ?? 0
    if (statement === 'BEGIN IMMEDIATE' && held > 0) return
    if (statement === 'COMMIT' && held < 40) {
      open.set(this, held + 1)
      return
    }
    if (statement === 'COMMIT') open.delete(this)
    exec.call(this, statement)
  }
}

/** Statements before the start, past every rule. The triggers among them are the embedded store's. */
const run =
  (...statements: string[]) =>
  async (config: Config): Promise<void> => {
    const store = await openStore(
      { ...(config.DATABASE_URL && { databaseUrl: config.DATABASE_URL }), directory: config.DATA_DIR },
      pino({ level: 'silent' })
    )
    await store.write(function* () {
      for (const statement of statements) yield CompiledQuery.raw(statement)
    })
    await store.close()
  }
const trigger = (when: string, act: string): ((config: Config) => Promise<void>) =>
  run(`create trigger if not exists sabotage after ${when} begin ${act}; end`)

export const sabotages: Record<string, Sabotage> = {
  naive: {
    says: 'an unknown outcome is tried again',
    adapters: insteadOfUnknown({ code: 'provider_unavailable', later: true })
  },
  certain: {
    says: 'an unknown outcome is called a failure',
    adapters: insteadOfUnknown({ code: 'message_rejected', later: false })
  },
  requeue: {
    says: 'what a dead process was sending is sent again',
    before: run(`update messages set state = 'queued', lease_until = null where state = 'sending'`)
  },
  early: { says: 'an answer is given before the commit', after: holdCommits },
  keyless: {
    says: 'an Idempotency-Key is not claimed',
    after: ({ app }) => {
      const { send } = app.messages
      app.messages.send = (caller, body, { idempotencyKey: _, ...options }) => send(caller, body, options)
    }
  },
  batches: {
    says: 'a batch whose outcome is unknown is sent again',
    adapters: insteadOfUnknown({ code: 'provider_unavailable', later: true }, 'sendBatch')
  },
  remade: {
    says: 'a broadcast whose answer was lost is made again for its key',
    after: ({ app }) => {
      const { create } = app.broadcasts
      app.broadcasts.create = (caller, form, source, { claim: _, ...options }) => create(caller, form, source, options)
    }
  }
}

/** What is told by webhook, and what is told of it by events. */
export const hearing: Record<string, Sabotage> = {
  unkept: {
    says: 'a webhook is answered before it is kept',
    after: ({ app }) => {
      const { receive } = app.door
      app.door.receive = async (...webhook) => void setTimeout(() => receive(...webhook).catch(() => {}), 500)
    }
  },
  dropped: {
    says: 'what a dead process had not read yet is not read any more',
    before: run(`update webhooks set state = 'read' where state = 'waiting'`)
  },
  forgetful: {
    says: 'nobody remembers what was told before, nor by which ids',
    before: run(
      `create trigger if not exists sabotage after insert on heard_events begin
         delete from heard_events where identity = new.identity;
       end`,
      `create trigger if not exists more after insert on message_ids
         when exists (select 1 from messages where id = new.message_id and direction = 'inbound') begin
         delete from message_ids where provider_id = new.provider_id;
       end`
    )
  },
  impatient: {
    says: 'what is told of a message before its send is answered is thrown away',
    before: trigger('insert on parked_events', 'delete from parked_events where identity = new.identity')
  },
  latest: {
    says: 'the status that is told last stands, not the greatest',
    before: trigger(
      `update of sent_at on messages when old.state in ('delivered', 'read') and old.sent_at is null and new.sent_at is not null`,
      `update messages set state = 'sent' where id = new.id`
    )
  },
  eventless: {
    says: 'a state has no event',
    before: trigger(
      `insert on events when new.type = 'message.delivered'`,
      'delete from events where position = new.position'
    )
  },
  twofold: {
    says: 'a state has two events',
    before: trigger(
      `insert on events when new.type = 'message.read'`,
      `insert into events (position, nonce, type, at, mode, channel_id, service, message_id, data)
         values (new.position + 1, new.nonce || 'x', 'message.sent', new.at, new.mode, new.channel_id, new.service, new.message_id, new.data)`
    )
  },
  miscounted: {
    says: 'what a message was is not taken from its counter',
    before: run('drop trigger if exists usage_uncounted')
  },
  unposted: {
    says: 'an event that a dead process had not posted is not posted any more',
    before: run(`update deliveries set state = 'delivered', run_at = null, lease = null where state = 'pending'`)
  },
  renamed: {
    says: 'an event has another id when it is posted again',
    before: trigger(
      'update of attempts on deliveries when new.attempts > old.attempts',
      `update events set nonce = substr(nonce, 2) || 'f' where position = new.position;
       update deliveries set event_id = substr(event_id, 1, length(event_id) - 18) || substr(event_id, -17) || 'f' where id = new.id`
    )
  }
}

if (import.meta.main) {
  const sabotage = { ...sabotages, ...hearing }[process.argv[2]!]!
  const config = loadConfig(process.env)
  if (process.env.CRASH_AT) armFailpoint(process.env.CRASH_AT)
  await sabotage.before?.(config)
  const spoilt = new Map([...adapters].map(([name, each]) => [name, sabotage.adapters?.(each) ?? each]))
  const log = pino({ level: config.LOG_LEVEL })
  const board = await buildContainer(config, { adapters: spoilt, startSandbox, log, pepper: config.KEY_PEPPER! })
  sabotage.after?.(board)
  await board.start()
  await board.app.listen({ host: config.HOST, port: config.PORT })
  process.once('SIGTERM', () => board.close().then(() => process.exit(0)))
}
