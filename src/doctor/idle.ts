/** The idle timeout of a server: the search, on real connections. */
import type { Clock } from '../clock.js'
import type { TcpInfoReader } from '../liveness/tcp-info.js'
import type { MeasuredConnection, Question } from './connection.js'
import { UnreachableError } from './connections.js'
import type { Evidence, IdleAnswer } from './idle-evidence.js'
import { type IdleProbe, searchIdle } from './idle-search.js'

/** An answer on a connection that has idled may take so much longer than the slowest so far, and at least so long. */
const PATIENCE_FACTOR = 5
const SHORTEST_PATIENCE = 2_000

export interface IdleMeasurement {
  readonly open: () => Promise<MeasuredConnection>
  readonly question: Question
  readonly longest: number
  /** Longest wait for a first answer. */
  readonly timeout: number
  /** Longest wait for an answer on a connection that has idled; undefined: by the answers so far. */
  readonly patience: number | undefined
  /** The slowest answer so far. */
  readonly slowest: number
  readonly tcpInfo: TcpInfoReader | undefined
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly seen: (evidence: Evidence) => void
}

export interface IdleFacts extends IdleAnswer {
  /** The longest that connections were to be left idle. */
  readonly longest: number
  /** The beginning of what was said on an idle connection, without having been asked for; null for nothing. */
  readonly unsolicited: string | null
}

/** @throws UnreachableError when the server does not answer on a new connection */
export async function measureIdle(measurement: IdleMeasurement): Promise<IdleFacts> {
  const { question, longest, timeout, tcpInfo, clock, signal, seen } = measurement
  let slowest = measurement.slowest
  let unsolicited: string | null = null

  async function open(): Promise<IdleProbe> {
    const connection = await measurement.open()
    const first = await connection.ask(question, timeout)
    if (first.kind !== 'answer') {
      connection.close()
      throw new UnreachableError('NO_ANSWER', `a new connection was not answered on (${first.kind})`)
    }
    slowest = Math.max(slowest, first.took)
    return {
      get idleSince() {
        return connection.idleSince
      },
      get persists() {
        return connection.persists
      },
      ended: new Promise((resolve) => {
        void connection.ended.then(({ how, at }) => {
          unsolicited ??= connection.unsolicited ?? null
          if (how !== 'closed') resolve({ end: how, at })
        })
      }),
      ask: () => askIdle(connection),
      close: () => connection.close(),
    }
  }

  async function askIdle(connection: MeasuredConnection): ReturnType<IdleProbe['ask']> {
    const patience = measurement.patience ?? Math.max(SHORTEST_PATIENCE, PATIENCE_FACTOR * slowest)
    const asked = await connection.ask(question, Math.min(timeout, patience))
    switch (asked.kind) {
      case 'answer':
        slowest = Math.max(slowest, asked.took)
        return { answered: true }
      case 'silence': {
        const outstanding = tcpInfo?.signs(connection.fd)?.unacknowledged
        return {
          answered: false,
          end: 'silence',
          acknowledged: outstanding === undefined ? undefined : outstanding === 0,
        }
      }
      case 'ended':
        return { answered: false, end: asked.how === 'reset' ? 'reset-on-request' : 'fin' }
      case 'unreadable':
        throw asked.error
    }
  }

  const answer = await searchIdle({ longest, open, clock, signal, seen })
  return { ...answer, longest, unsolicited }
}
