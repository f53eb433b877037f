/**
 * Why a connection ended that the pool did not end itself: from its error, its peer's FIN, and what it was doing. Pure.
 */
import { codeOf, deathCause } from '../liveness/evidence.js'
import type { Patience } from '../liveness/vital-signs.js'
import type { CloseReason } from '../reasons.js'
import type { RequestEnd } from '../replay/permission.js'
import type { LinkEnding } from '../wire/link.js'

type Ending = Pick<LinkEnding, 'error' | 'fin'> & Partial<Pick<LinkEnding, 'signs'>>

/** What ended a request, by what ended its connection. */
export function requestEnd(ending: Ending, { closeReason, patience }: Mortal): RequestEnd {
  if (closeReason === 'aborted' || closeReason === 'pool-closed') return 'other'
  if (closeReason === 'dead') return 'death'
  const reason = endingReason(ending, true, patience)
  if (reason === 'dead') return 'death'
  return reason === 'server-fin' || reason === 'reset' ? 'peer' : 'other'
}

interface Mortal {
  readonly closeReason: CloseReason | undefined
  readonly patience: Patience | undefined
}

/**
 * @param asked whether a request had been written on it that was not answered yet
 * @param patience how long its peer may be silent before it is asked whether it is there; undefined if it never is
 */
export function endingReason({ error, fin, signs }: Ending, asked: boolean, patience?: Patience): CloseReason {
  const code = codeOf(error)
  if (deathCause(code, signs?.silence, patience) !== undefined) return 'dead'
  switch (code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return 'reset'
    case 'UND_ERR_INFO':
      // undici's own word: the exchange was broken off, or the response (HTTP/1.0, or without a length) was the last.
      return error?.message === 'aborted' ? 'aborted' : 'server-close'
  }
  if (fin) return 'server-fin'
  // Nobody had asked anything: what the parser could not place were bytes that nobody had asked for.
  if (!asked) return error === undefined ? 'server-fin' : 'poisoned'
  return 'error'
}
