/** What the doctor can be asked for, with defaults. */
import type { MiddleboxName } from '../liveness/middleboxes.js'

/** Those that change nothing on a server. */
export const methods = ['HEAD', 'GET', 'OPTIONS'] as const
export type Method = (typeof methods)[number]

/** Times in milliseconds. */
export interface DoctorOptions {
  /** The longest that a connection is left idle to see whether it is closed. */
  readonly maxWait: number
  /** Requests sent on one connection to see whether the server counts them. 0: it is not tried. */
  readonly requests: number
  /** Longest time to open a connection, and to wait for a response. */
  readonly timeout: number
  /** Undefined: HEAD, or GET where HEAD is refused. */
  readonly method: Method | undefined
  /** Names and values, sent with each request. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Take any certificate. */
  readonly insecure: boolean
  /** What is known to stand in between. */
  readonly through: readonly MiddleboxName[]
  /** The longest silence that is to be expected on a connection: the slowest response, or the longest pause. */
  readonly longestSilence: number | undefined
  /** How long an answer may take on a connection that has idled. Undefined: by the answers so far. */
  readonly patience: number | undefined
}

export const doctorDefaults: DoctorOptions = {
  // Above nginx's 75 s, the longest default that is common among servers.
  maxWait: 80_000,
  requests: 120,
  timeout: 10_000,
  method: undefined,
  headers: [],
  insecure: false,
  through: [],
  longestSilence: undefined,
  patience: undefined,
}
