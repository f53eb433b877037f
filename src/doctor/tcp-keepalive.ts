/** TCP keepalive: whether this machine applies what it is told, and whether the peer answers a probe. */
import type { Clock } from '../clock.js'
import { askAtOnce } from '../liveness/ask.js'
import type { Native } from '../liveness/native.js'
import { type LivenessTriple, planOf } from '../liveness/presets.js'
import { type AppliedLiveness, applyLiveness } from '../liveness/settings.js'
import { IPPROTO_TCP, TCP_KEEPINTVL } from '../liveness/socket-options.js'
import { TcpInfoReader } from '../liveness/tcp-info.js'
import type { Ending, MeasuredConnection } from './connection.js'
import { wait, waitFor } from './wait.js'

export interface TcpKeepAliveFacts {
  /** What was asked for. */
  readonly asked: LivenessTriple
  /** What is on the socket; null for what cannot be told. */
  readonly applied: { readonly [Field in keyof LivenessTriple]: number | null }
  /** Whether all three are as they were asked for. */
  readonly applies: boolean
  /** How that is known, as in `connection.liveness`. */
  readonly source: AppliedLiveness['source']
  /** Whether a probe was answered; null: it could not be asked. */
  readonly answered: boolean | null
  /** Why it could not be asked; null where it could. */
  readonly why: string | null
}

export function settingFacts(
  asked: LivenessTriple,
  applied: AppliedLiveness,
): Pick<TcpKeepAliveFacts, 'asked' | 'applied' | 'applies' | 'source'> {
  const { idle = null, interval = null, probes = null, source, enabled } = applied
  const applies = enabled && idle === asked.idle && interval === asked.interval && probes === asked.probes
  return { asked, applied: { idle, interval, probes }, applies, source }
}

/** The kernel probes what has been silent for a second: its timers may be late by an eighth. */
const SILENCE = 1_150
/** Probes are sent a second apart, and so many are waited for. */
const PROBES = 3
const LOOKS_APART = 25

export interface TcpKeepAliveMeasurement {
  /** A connection that has been answered on; it is closed afterwards. */
  readonly connection: MeasuredConnection
  /** Not those that a system comes with, so that it shows whether they were taken. */
  readonly liveness: LivenessTriple
  readonly native: Native | undefined
  /** Why there is no native access. */
  readonly why: string | undefined
  readonly clock: Clock
  readonly signal: AbortSignal
}

export async function measureTcpKeepAlive(measurement: TcpKeepAliveMeasurement): Promise<TcpKeepAliveFacts> {
  const { connection, liveness, native } = measurement
  const { idle, interval, probes } = liveness
  const asked = { idle, interval, probes }
  const applied = applyLiveness(connection.socket, connection.fd, planOf(asked), native)
  try {
    return { ...settingFacts(asked, applied), ...(await probe(measurement)) }
  } finally {
    connection.close()
  }
}

async function probe(measurement: TcpKeepAliveMeasurement): Promise<Pick<TcpKeepAliveFacts, 'answered' | 'why'>> {
  const { connection, native, why, clock, signal } = measurement
  if (native === undefined) return { answered: null, why: why ?? 'the kernel cannot be asked' }
  await waitFor(connection.ended, clock, SILENCE, signal)
  if (connection.ending !== undefined || signal.aborted)
    return { answered: null, why: signal.aborted ? 'interrupted' : 'the connection was closed within a second' }
  const reader = new TcpInfoReader(native)
  native.setInt(connection.fd, IPPROTO_TCP, TCP_KEEPINTVL, 1)
  const startedAt = clock.now()
  if (!askAtOnce(connection.fd, native)) return { answered: null, why: 'the kernel does not take TCP_KEEPIDLE' }
  while (!signal.aborted) {
    await wait(clock, LOOKS_APART, signal)
    const signs = reader.signs(connection.fd)
    const elapsed = clock.now() - startedAt
    // It was silent for a second before: whatever was heard since is the answer.
    if (signs !== undefined && signs.silence <= elapsed + LOOKS_APART) return { answered: true, why: null }
    if ((connection.ending as Ending | undefined)?.how === 'fin')
      return { answered: null, why: 'the connection was closed meanwhile' }
    // Reset, or given up by the kernel.
    if (signs === undefined || elapsed > (PROBES + 0.5) * 1000) return { answered: false, why: null }
  }
  return { answered: null, why: 'interrupted' }
}
