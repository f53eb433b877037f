// What became of the requests, from the client's records and the server's. A pure function.
//
// All times are of one clock. With a wire of `delay` ms, a request that leaves between `delay` before and `delay` after
// the server's close is in the race: it arrives after the close, and left before word of the close could be there.

/** Milliseconds at both edges of the race in which nobody can say which came first. */
const UNSURE = 1.5
/** A failure further from any close than this has another cause. */
const FAR = 250

/**
 * @param {{ id: string, at: number, took: number, port: number, error?: string }[]} records of the client
 * @param {{ requests: { id: string, port: number, nth: number, opened: number }[], ends: { port: number, at: number }[] }} served
 * @param {number} delay of the wire, one way
 */
export function judge(records, served, delay) {
  const processed = new Map()
  for (const request of served.requests) {
    const times = processed.get(request.id)
    if (times) times.push(request)
    else processed.set(request.id, [request])
  }
  const endsOf = new Map()
  for (const { port, at } of served.ends) endsOf.set(port, [...(endsOf.get(port) ?? []), at])

  const result = { aimed: records.length, raced: 0, reused: 0, fresh: 0, failed: 0, strays: 0, errors: {} }
  const healed = []
  for (const { id, at, took, port, error } of records) {
    const end = endsOf.get(port)?.find((time) => Math.abs(time - at) < delay - UNSURE)
    if (error !== undefined) {
      result.failed++
      result.errors[error] = (result.errors[error] ?? 0) + 1
      if (end !== undefined) result.raced++
      else if (!endsOf.get(port)?.some((time) => Math.abs(time - at) < delay + FAR)) result.strays++
      continue
    }
    const [first] = processed.get(id) ?? []
    if (first === undefined) throw new Error(`The client has an answer to ${id}, which the server never processed`)
    // A connection opened because word of the close had come is open at the server two round trips after the close at the
    // earliest: one for the word and the first packet, one for the handshake. One that is older was opened for another
    // reason: the client had closed the old one by itself, or did not trust it any more.
    const isHealed = end !== undefined && first.opened > end + 4 * delay - UNSURE
    if (isHealed) {
      result.raced++
      healed.push(took)
    } else if (first.nth > 1) result.reused++
    else result.fresh++
  }
  return {
    ...result,
    healed: healed.length,
    twice: [...processed.values()].filter((times) => times.length > 1).length,
    /** The share that was answered on a connection which had served before. */
    reuse: result.reused / records.length,
    latency: percentiles(records.filter(({ error }) => error === undefined).map(({ took }) => took)),
    healing: percentiles(healed),
  }
}

function percentiles(values) {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
  return { p50: at(0.5), p99: at(0.99), max: sorted.at(-1) }
}
