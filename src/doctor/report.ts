/**
 * What the doctor says: everything that was measured, and what follows from it. Plain data, the same as `--json` prints. Times
 * are milliseconds; null stands for what there is not, or is not known.
 */
import type { Facts } from './facts.js'
import type { Finding } from './findings.js'
import type { Recommendation } from './recommend.js'

/** Changes when a field changes its meaning or goes; new fields may come. */
export const REPORT_VERSION = 1

export interface Report extends Facts {
  readonly doctor: typeof REPORT_VERSION
  readonly url: string
  readonly origin: string
  /** False if it was interrupted, or failed on the way: then this is what was known by then. */
  readonly complete: boolean
  /** Why it is not complete, if that was not an interruption. */
  readonly error: { readonly code: string; readonly message: string } | null
  /** Milliseconds that it took. */
  readonly took: number
  readonly connections: { readonly opened: number; readonly mostOpen: number }
  readonly findings: readonly Finding[]
  /** null as long as nothing is known of the server. */
  readonly recommendation: Recommendation | null
}
