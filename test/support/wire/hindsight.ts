/** What became of a connection's last request, by the packets that the relay saw: more than either end can know. */
import type { Outcome } from './load.js'
import type { TracedPacket, Wire } from './wire.js'

export interface Fate {
  /** The server's kernel acknowledged all of it, with another packet than an RST. */
  acknowledged: boolean
  /** The server has said FIN. */
  fin: boolean
  /** It has said RST. */
  reset: boolean
}

/** A connection by its ports, as a `ConnectionSnapshot` has them. */
export interface Ports {
  localPort?: number
  remotePort?: number
}

type Trace = Awaited<ReturnType<Wire['trace']>>

/** @param trace of the wire; it must reach back to the request */
export function fateOf({ toServer, toClient }: Trace, { localPort, remotePort }: Ports): Fate {
  const asked = toServer.filter(({ sourcePort, targetPort }) => sourcePort === localPort && targetPort === remotePort)
  const answers = toClient.filter(({ sourcePort, targetPort }) => sourcePort === remotePort && targetPort === localPort)
  const request = asked.filter(({ payload }) => payload > 0).reduce(later)
  const end = request.sequence + request.payload
  const acknowledging = answers.filter(({ flags }) => flags.includes('A') && !flags.includes('R'))
  return {
    acknowledged: acknowledging.some(({ acknowledgement }) => isAtOrAfter(acknowledgement, end)),
    fin: answers.some(({ flags }) => flags.includes('F')),
    reset: answers.some(({ flags }) => flags.includes('R')),
  }
}

/**
 * Whether a request that failed with its connection could not be healed by anybody: part of the response was here; or it
 * was the first one on its connection, so no keep-alive race; or it must not be repeated, and the server has acknowledged
 * it, or said nothing but RST.
 */
export function hadToFail(trace: Trace, { method, error }: Outcome): boolean {
  if (error?.refusal === 'response-begun' || error?.refusal === 'new-connection') return true
  if (error?.connection === undefined || error.refusal !== 'not-proven' || error.verdict !== 'unknown') return false
  const { acknowledged, fin, reset } = fateOf(trace, error.connection)
  return method === 'POST' && (acknowledged || (reset && !fin))
}

const later = (one: TracedPacket, other: TracedPacket) => (isAtOrAfter(other.sequence, one.sequence) ? other : one)

/** Sequence numbers wrap around: their difference as 32 bits tells which is the later one. */
const isAtOrAfter = (one: number, other: number) => ((one - other) | 0) >= 0
