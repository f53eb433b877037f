/** What a new connection costs, and what is left of it when one is used again. */
import type { TcpInfoReader } from '../liveness/tcp-info.js'
import type { MeasuredConnection, Question } from './connection.js'
import { COST_SAMPLES } from './limits.js'
import type { Address } from './target.js'
import { median } from './wait.js'

/** Milliseconds, of one connection. */
export interface CostSample {
  /** Asking for the addresses; undefined where there was no name. */
  readonly dns: number | undefined
  readonly connect: number
  readonly tls: number | undefined
  /** From the first request to the beginning of its response. */
  readonly first: number
  /** The same of the requests after it. */
  readonly reused: readonly number[]
  /** Round trip, as the kernel knows it. */
  readonly rtt: number | undefined
}

/** Medians, in milliseconds; null for what there is not, or what could not be measured. */
export interface Cost {
  readonly samples: number
  readonly dns: number | null
  readonly connect: number
  readonly tls: number | null
  readonly firstResponse: number
  readonly reusedResponse: number | null
  readonly roundTrip: number | null
  /** Of each request that does not need a new connection: name, handshakes, and what a new connection is slower by. */
  readonly saved: number | null
  /** The slowest response. */
  readonly slowest: number
}

/** @param samples at least one */
export function costOf(samples: readonly CostSample[]): Cost {
  const middle = (of: (sample: CostSample) => number | undefined): number | null =>
    median(samples.map(of).filter((value) => value !== undefined)) ?? null
  const dns = middle((sample) => sample.dns)
  const connect = middle((sample) => sample.connect) as number
  const tls = middle((sample) => sample.tls)
  const firstResponse = middle((sample) => sample.first) as number
  const reusedResponse = median(samples.flatMap(({ reused }) => reused)) ?? null
  const fresh = (dns ?? 0) + connect + (tls ?? 0) + firstResponse
  return {
    samples: samples.length,
    dns,
    connect,
    tls,
    firstResponse,
    reusedResponse,
    roundTrip: middle((sample) => sample.rtt),
    saved: reusedResponse === null ? null : Math.max(0, fresh - reusedResponse),
    slowest: Math.max(...samples.flatMap(({ first, reused }) => [first, ...reused])),
  }
}

/** Requests on each connection after its first one. */
const REUSES = 3

export interface CostMeasurement {
  /** Asks for the addresses once more. */
  readonly addresses: () => Promise<{ readonly addresses: readonly Address[]; readonly took: number | undefined }>
  readonly open: () => Promise<MeasuredConnection>
  readonly question: Question
  readonly timeout: number
  readonly tcpInfo: TcpInfoReader | undefined
  readonly signal: AbortSignal
}

/** Opens connections one after the other. Those that are not answered on are left out. */
export async function measureCost(measurement: CostMeasurement): Promise<Cost | undefined> {
  const { open, question, timeout, tcpInfo, signal } = measurement
  const samples: CostSample[] = []
  for (let nth = 0; nth < COST_SAMPLES && !signal.aborted; nth++) {
    const { took: dns } = await measurement.addresses()
    const connection = await open()
    try {
      const first = await connection.ask(question, timeout)
      if (first.kind !== 'answer') continue
      const reused: number[] = []
      while (connection.persists && reused.length < REUSES) {
        const again = await connection.ask(question, timeout)
        if (again.kind !== 'answer') break
        reused.push(again.took)
      }
      const rtt = tcpInfo?.read(connection.fd, undefined)?.rtt || undefined
      samples.push({ dns, ...connection.times, first: first.took, reused, rtt })
    } finally {
      connection.close()
    }
  }
  return samples.length === 0 ? undefined : costOf(samples)
}
