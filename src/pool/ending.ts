/**
 * Why a connection ended that the pool did not end itself: from its error, its peer's FIN, and what it was doing. Pure.
 */
import type { CloseReason } from '../reasons.js'
import type { LinkEnding } from '../wire/link.js'

/** Whether the peer's FIN or RST ended it, and nobody else. */
export function endedByPeer(ending: Pick<LinkEnding, 'error' | 'fin'>, closeReason: CloseReason | undefined): boolean {
  if (closeReason === 'aborted' || closeReason === 'pool-closed') return false
  const reason = endingReason(ending, true)
  return reason === 'server-fin' || reason === 'reset'
}

/** @param asked whether a request had been written on it that was not answered yet */
export function endingReason({ error, fin }: Pick<LinkEnding, 'error' | 'fin'>, asked: boolean): CloseReason {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  switch (code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return 'reset'
    case 'ETIMEDOUT':
    // Where an ICMP error came in the meantime, the kernel gives up with that instead (tcp_write_err).
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'dead'
    case 'UND_ERR_INFO':
      // undici's own word: the exchange was broken off, or the response (HTTP/1.0, or without a length) was the last.
      return error?.message === 'aborted' ? 'aborted' : 'server-close'
  }
  if (fin) return 'server-fin'
  // Nobody had asked anything: what the parser could not place were bytes that nobody had asked for.
  if (!asked) return error === undefined ? 'server-fin' : 'poisoned'
  return 'error'
}
