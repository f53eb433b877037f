/**
 * Reads the `Keep-Alive` response header: `timeout=5, max=100`.
 *
 * The header never had more than an expired draft behind it (draft-thomson-hybi-http-timeout, RFC 2068 19.7.1), and
 * servers write it in any order and case, quoted or bare, over several lines, with extensions of their own. Whatever is
 * not understood is passed over; nothing here throws.
 */

/** What a server said of a connection. A parameter it did not name, or not in digits, is undefined. */
export interface Advertised {
  /** Idle time it allows, in milliseconds (the wire has seconds). */
  readonly timeout: number | undefined
  /** The number after `max=`; `keepalive/remaining.ts` knows what it counts. */
  readonly max: number | undefined
}

const PARAMETER = /(?:^|[,;\s])(timeout|max)\s*=\s*(?:"\s*(\d+)\s*"|(\d+))(?![\d.\w])/gi

/** Digits beyond this say nothing more; it also keeps milliseconds exact. */
const LARGEST = 2 ** 31

export const nothingAdvertised: Advertised = { timeout: undefined, max: undefined }

/** @param value the header's value; several lines are to be joined by `, ` as RFC 9110 5.3 has it */
export function parseKeepAlive(value: string): Advertised {
  let timeout: number | undefined
  let max: number | undefined
  for (const [, name, quoted, bare] of value.matchAll(PARAMETER)) {
    const number = Math.min(Number(quoted ?? bare), LARGEST)
    // A parameter that comes twice: the smaller value can hurt nobody.
    if (name?.toLowerCase() === 'timeout') timeout = Math.min(timeout ?? Infinity, number * 1000)
    else max = Math.min(max ?? Infinity, number)
  }
  return timeout === undefined && max === undefined ? nothingAdvertised : { timeout, max }
}
