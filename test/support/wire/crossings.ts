/** Keep-alive races on many connections at once, none of which depends on luck: see `crossing.ts`, which does one. */
import { setTimeout as sleep } from 'node:timers/promises'
import { monotonic } from './clock.js'
import type { PacketKind, Wire } from './wire.js'

const PATIENCE = 5000

interface Crossing<T> {
  /** Has the server end its connections; not needed if it does so by itself. */
  end?(): Promise<unknown>
  /** Sends a request to each port; the outcome is the result. */
  send(): Promise<T>
  /** For how many milliseconds word of the end is kept once the requests are on their way. Default: 0 */
  longer?: number
  /** Packets of these kinds that the server sends after the ends are lost, until there is an outcome. Default: none */
  lost?: readonly PacketKind[]
}

/**
 * Keeps word from the client that the server ends the idle connection of each port, until there is a request on its way
 * to each of them. Then all that was kept arrives at once, in order, and the wire is as before: what the requests bring
 * about takes its time.
 *
 * @param ports of the server, on each of which one connection idles, with nothing else on the wire
 */
export async function crossings<T>(
  wire: Wire,
  ports: readonly number[],
  { end, send, longer = 0, lost = [] }: Crossing<T>,
): Promise<T> {
  const start = monotonic()
  await wire.hold('toClient')
  try {
    await end?.()
    await until('ended', ports, async () => {
      const { toClient } = await wire.trace(start)
      return toClient.filter(({ flags }) => /[FR]/.test(flags)).map(({ sourcePort }) => sourcePort)
    })
    const lose = () => lost.map((kind) => wire.drop(kind, { direction: 'toClient' }))
    await Promise.all(lose())
    const sending = monotonic()
    const outcome = send()
    // Awaited below; should one of the next lines throw first, its failure has no other listener.
    outcome.catch(() => {})
    await until('asked', ports, async () => {
      const { toServer } = await wire.trace(sending)
      return toServer.filter(({ payload }) => payload > 0).map(({ targetPort }) => targetPort)
    })
    await sleep(longer)
    // To mend it also ends the losses: the relay hears all of it in one breath.
    await Promise.all([wire.mend('toClient'), ...lose()])
    return await outcome
  } finally {
    await wire.mend('toClient')
  }
}

async function until(what: string, ports: readonly number[], seen: () => Promise<number[]>): Promise<void> {
  const deadline = monotonic() + PATIENCE
  for (;;) {
    const done = new Set(await seen())
    const missing = ports.filter((port) => !done.has(port))
    if (missing.length === 0) return
    if (monotonic() > deadline) throw new Error(`Not ${what} within ${PATIENCE} ms: ports ${missing.join(', ')}`)
    await sleep(5)
  }
}
