import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { CallFacts, Limit } from '../../adapters/adapter.ts'
import { type Admission, type AdmissionChannel, free, type Permit } from '../../dispatch/admission.ts'
import { type BlockKeys, blockKey, blockKeysOf, blockQueries } from '../../messages/blocks.ts'
import type { MessageRow } from '../../store/schema.ts'
import type { Store } from '../../store/store.ts'
import { throttleSeconds } from '../retry-policy.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import type { Want } from './decisions.ts'
import type { RateLimiter } from './rate-limiter.ts'
import type { Scheduler } from './scheduler.ts'

export interface AdmissionParts {
  store: Store
  scheduler: Scheduler
  breaker: CircuitBreaker
  rateLimiter: RateLimiter
  log: Logger
  /** Whether a rate is kept; false: only what the providers asked for holds. */
  paced: boolean
  timeoutMs: number
  limitsOf: (channel: AdmissionChannel, call: Partial<CallFacts>) => Limit[]
}

/** Milliseconds that the commit ahead of a send takes: a message's permit is given so much early, and the rest is waited for after it. */
const commitMs = 30

export interface MessageAdmission extends Admission {
  /**
   * Waits until a claimed message may be dispatched.
   * @param given the permit that came with the claim; where its time is over, another is waited for
   * @param another whether that may be, asked where it was not ready in time; one that was ready in time has no other
   * @returns undefined: its time is over, and another may not be
   * @throws ServiceError when it has to wait longer than a call may
   */
  acquire: (
    row: MessageRow,
    channel: AdmissionChannel,
    given: Permit | undefined,
    another?: () => Promise<boolean>
  ) => Promise<Permit | undefined>
}

export function createAdmission({
  store,
  scheduler,
  breaker,
  rateLimiter,
  log,
  paced,
  timeoutMs,
  limitsOf
}: AdmissionParts): MessageAdmission {
  const blocks = blockQueries(store)
  /** How often in a row each account, channel or recipient was told to wait. */
  const times = new Map<string, number>()

  /** The blocks that concern a call: a pause and the hold stop messages, and not what is read. */
  const keysOf = ({ id, mode }: AdmissionChannel, probe: boolean): BlockKeys => ({
    hold: '',
    account: blockKey.account(mode),
    channel: '',
    breaker: id === '' || probe ? '' : blockKey.breaker(mode, id),
    throttle: id === '' ? '' : blockKey.throttle(mode, id),
    recipient: '',
    broadcast: ''
  })

  /** Resolves with a permit at the moment from which it may be used. */
  const take = async (
    want: Omit<Want, 'timeoutMs'>,
    given?: Permit,
    aheadMs = 0,
    another?: () => Promise<boolean>
  ): Promise<Permit | undefined> => {
    const end = performance.now() + timeoutMs
    for (let had = given; ; had = undefined) {
      const permit = had ?? (await scheduler.acquire({ ...want, timeoutMs: end - performance.now() }))
      const early = permit.at - aheadMs - performance.now()
      if (early > 0) await sleep(Math.ceil(early))
      if (performance.now() <= permit.until) return permit
      // Ready in time, and late all the same: this process stood still, and whoever follows may be ahead of it by now.
      if (another && (early > 0 || !(await another()))) return undefined
    }
  }

  return {
    admit: async (channel, call, { permit, lane = 0, probe = false } = {}) => {
      if (permit) {
        // The turn of a message that is `sending`: nobody looks at cancel, pause or expiry any more, so it does not wait
        // for another one here.
        const early = permit.at - performance.now()
        // A part of a millisecond is no time for a timer, and it would end before.
        if (early > 0) await sleep(Math.ceil(early))
        const now = performance.now()
        // One that was not ready in time says nothing of how exact this process is, unless it has missed its slot.
        if (early > 0 || now > permit.until) rateLimiter.punctuality.left(now - permit.at)
        if (now > permit.until) return undefined
        rateLimiter.left(permit, now)
        return permit
      }
      const keys = keysOf(channel, probe)
      if (!paced && (await store.read(blocks.of(keys))).length === 0) return free
      const { mode, service = '' } = channel
      const limits = paced ? limitsOf(channel, call) : []
      const had = await take({ mode, lane, service, limits, keys: Object.values(keys) })
      if (had) rateLimiter.left(had, performance.now())
      return had
    },
    left: permit => rateLimiter.left(permit, performance.now()),
    answered: (permit, answer) => rateLimiter.answered(permit, answer, performance.now()),
    acquire: async (row, channel, given, another) => {
      // Without a pace nothing has to be waited for: what stands in the way is seen by the dispatch itself.
      if (!paced && !given) return free
      const { mode, service, type, contact } = row
      const limits = limitsOf(channel, { operation: 'sendMessage', type, ...(contact && { to: contact }) })
      const lane = row.lane === 1 ? 1 : 0
      return take(
        { mode, lane, service, limits, keys: Object.values(blockKeysOf(row)) },
        given,
        Math.max(commitMs, scheduler.commitMs()),
        another
      )
    },

    throttle: ({ id, mode }, { scope, seconds, asked, tooMany }, to = '', attempt = 0) => {
      // Pacing is off: only what was asked for in so many words holds.
      if (!paced && !asked) return
      if (scope === 'account' && tooMany) rateLimiter.punctuality.disagreed(mode)
      const key =
        scope === 'account'
          ? blockKey.account(mode)
          : scope === 'channel'
            ? blockKey.throttle(mode, id)
            : blockKey.recipient(mode, id, to)
      const count = times.get(key) ?? 0
      if (scope !== 'recipient') times.set(key, count + 1)
      const wait = throttleSeconds(scope, seconds, { attempt, times: count }, Math.random)
      const now = store.clock()
      log.warn({ scope, channel: id, mode, seconds: wait }, 'a provider asked to wait')
      store
        .write(function* () {
          yield blocks.raise({ key, forMs: Math.round(wait * 1000), detail: null, at: now })
        })
        .catch(error => log.error({ err: error, channel: id }, 'a wait that a provider asked for cannot be kept'))
    },

    note: ({ id, mode }, answered) => {
      if (answered && times.size > 0) {
        times.delete(blockKey.account(mode))
        times.delete(blockKey.throttle(mode, id))
      }
      if (id !== '') breaker.note(mode, id, answered)
    }
  }
}
