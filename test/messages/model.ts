// A message's life as docs/reliability.md 3.1 draws it, without a database: what the real statements are held against.

export type End = 'accepted' | 'unknown' | 'failed' | 'later'

/** A process with the message in its hands. */
export interface Hand {
  stage: 'claimed' | 'sending' | 'told'
  attempt: number
  /** Which claim of the row it holds: another process may have the next one. */
  claim: number
  /** The lease has run out under it: it must not write any more. */
  late: boolean
  /** It goes back to the row as it was taken, where that was sent once more already. */
  doubted: boolean
  end?: End
}

export interface Model {
  state: 'queued' | 'claimed' | 'sending' | 'accepted' | 'unknown' | 'failed' | 'expired' | 'canceled'
  final: boolean
  attempts: number
  claim: number
  leased: boolean
  expired: boolean
  stopped: boolean
  setbacks: number
  /** onUnknown: resend_once, and whether that has been used. */
  once: boolean
  resent: boolean
  /** How often the provider took it; what an operator vouched for is another matter. */
  taken: number
  confirmed: boolean
  hands: (Hand | undefined)[]
}

export const newModel = (once: boolean): Model => ({
  state: 'queued',
  final: false,
  attempts: 0,
  claim: 0,
  leased: false,
  expired: false,
  stopped: false,
  setbacks: 0,
  once,
  resent: false,
  taken: 0,
  confirmed: false,
  hands: [undefined, undefined]
})

const end = (m: Model, state: Model['state']): void => {
  m.state = state
  m.final = state === 'failed' || state === 'expired' || state === 'canceled'
  m.leased = false
}
/** It is not sent again. Where an earlier attempt may have arrived, nobody can say that nothing did. */
const giveUp = (m: Model, state: 'failed' | 'expired' | 'canceled'): void => end(m, m.resent ? 'unknown' : state)

export function claim(m: Model, h: number): void {
  if (m.state !== 'queued' || m.expired) return
  m.state = 'claimed'
  m.leased = true
  m.hands[h] = { stage: 'claimed', attempt: m.attempts, claim: ++m.claim, late: false, doubted: m.resent }
}

export function dispatch(m: Model, h: number): void {
  const hand = m.hands[h]!
  const may = m.state === 'claimed' && m.attempts === hand.attempt && m.leased && !m.expired && !m.stopped
  if (!may) {
    m.hands[h] = undefined
    return
  }
  m.state = 'sending'
  m.attempts++
  m.hands[h] = { ...hand, stage: 'sending', attempt: m.attempts, late: false }
}

/** The call, and what the process learned of it. */
export function write(m: Model, h: number, wanted: { taken: boolean; seen: boolean; later: boolean }): void {
  const hand = m.hands[h]!
  const taken = wanted.taken && !hand.late
  if (taken) m.taken++
  const refused = wanted.later || hand.late ? 'later' : 'failed'
  m.hands[h] = {
    ...hand,
    stage: 'told',
    end: !wanted.seen && !hand.late ? 'unknown' : taken ? 'accepted' : refused
  }
}

export function settle(m: Model, h: number): void {
  const { attempt, end: result, doubted } = m.hands[h]!
  const mine = m.attempts === attempt
  const as = (): void => {
    if (result === 'later') end(m, 'queued')
    else end(m, result === 'failed' && doubted ? 'unknown' : result!)
  }
  if (result === 'unknown' && m.once && !doubted) {
    if (m.state !== 'sending' || !mine || m.resent) return
    end(m, 'queued')
    m.resent = true
  } else if (m.state === 'sending' && mine) as()
  else if (result === 'unknown' || (doubted && result !== 'accepted')) return
  else if (result !== 'later' && (m.state === 'queued' || m.state === 'claimed') && m.resent && mine) {
    as()
    m.resent = false
  } else if (m.state === 'unknown' && mine) end(m, result === 'accepted' ? 'accepted' : 'failed')
}

export function reap(m: Model): void {
  if (m.leased) return
  if (m.state === 'sending') {
    const again = m.once && !m.resent
    end(m, again ? 'queued' : 'unknown')
    if (again) m.resent = true
  } else if (m.state === 'claimed') {
    if (++m.setbacks >= 3) giveUp(m, 'failed')
    else m.state = 'queued'
  }
}

export function cancel(m: Model): void {
  if (m.state === 'queued' || m.state === 'claimed') giveUp(m, 'canceled')
}
export function expire(m: Model): void {
  if (m.state === 'queued' && m.expired) giveUp(m, 'expired')
}
/** By the process that claimed it, as long as that claim is the row's. */
export function release(m: Model, h: number): void {
  if (m.state === 'claimed' && m.claim === m.hands[h]!.claim) giveUp(m, 'failed')
  m.hands[h] = undefined
}
/** Leases run out, and whoever still holds one does not know it. */
export function pass(m: Model): void {
  m.leased = false
  for (const hand of m.hands) if (hand) hand.late = true
}
/** The caller settles the unknown: it arrived, or let it be. */
export function resolve(m: Model, arrived: boolean): void {
  if (m.state !== 'unknown' || m.final) return
  if (arrived) {
    end(m, 'accepted')
    m.confirmed = true
  } else m.final = true
}
