/** What was measured, part by part, and under which conditions: what findings and recommendations are made of. */
import type { Cost } from './cost.js'
import type { Advertisement } from './greeting.js'
import type { IdleFacts } from './idle.js'
import type { DoctorOptions, Method } from './options.js'
import type { RequestFacts } from './requests.js'
import type { TcpKeepAliveFacts } from './tcp-keepalive.js'

/** What was measured. A part that was not come to, or does not apply, is null. */
export interface Facts {
  /** The address that was measured, and the others that the name has. */
  readonly address: {
    readonly address: string
    readonly family: number
    readonly port: number
    readonly others: readonly string[]
  } | null
  /** The request that was sent, and how it was answered. */
  readonly request: {
    readonly method: Method
    readonly path: string
    readonly status: number
    /** Where a redirect leads to; it is not followed. */
    readonly location: string | null
    readonly headRefused: boolean
  } | null
  readonly advertised: Advertisement | null
  readonly cost: Cost | null
  readonly requests: RequestFacts | null
  readonly tcpKeepAlive: TcpKeepAliveFacts | null
  readonly idle: IdleFacts | null
}

export const noFacts: Facts = {
  address: null,
  request: null,
  advertised: null,
  cost: null,
  requests: null,
  tcpKeepAlive: null,
  idle: null,
}

/** What it was done with. */
export type Conditions = Pick<DoctorOptions, 'maxWait' | 'requests' | 'insecure' | 'through' | 'longestSilence'> & {
  /** Whether this machine can ask the kernel about a connection. */
  readonly kernel: boolean
  /** Why it cannot; null if it can. */
  readonly why: string | null
}
