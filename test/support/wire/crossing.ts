/**
 * A keep-alive race that does not depend on luck or on how busy the machine is: what the server sends is held on the
 * wire until the request has crossed with it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { monotonic } from './clock.js'
import type { TracedPacket, Wire } from './wire.js'

/** A server that has nothing to say to the request may still acknowledge it, up to 40 ms late. */
const REACTION = 150
const PATIENCE = 5000

/**
 * Waits until the server closes an idle connection (FIN or RST), keeps word of it from the client, lets `send` send a
 * request, and delivers everything, in order, once the server has reacted to the request or had the time to.
 *
 * Call it when the connection idles, before the server closes it, with nothing else on the wire.
 *
 * @param send starts the request; its outcome is the result
 */
export async function crossing<T>(wire: Wire, send: () => Promise<T>): Promise<T> {
  const start = monotonic()
  await wire.hold('toClient')
  try {
    const close = await entered(wire, 'toClient', start, ({ flags }) => /[FR]/.test(flags), PATIENCE)
    if (close === undefined) throw new Error(`The server closed no connection within ${PATIENCE} ms`)
    const sending = monotonic()
    const outcome = send()
    // Awaited below; should one of the next lines throw first, its failure has no other listener.
    outcome.catch(() => {})
    const request = await entered(wire, 'toServer', sending, ({ payload }) => payload > 0, PATIENCE)
    if (request === undefined) throw new Error('Nothing was sent on the connection that the server closed')
    await entered(wire, 'toClient', request.at, () => true, REACTION)
    await wire.mend('toClient')
    return await outcome
  } finally {
    await wire.mend('toClient')
  }
}

type Lookout = (packet: TracedPacket) => boolean

/** The first packet of a kind that enters the wire after a moment, or undefined if there is none in time. */
async function entered(
  wire: Wire,
  direction: 'toServer' | 'toClient',
  since: number,
  isWanted: Lookout,
  patience: number,
): Promise<TracedPacket | undefined> {
  const deadline = monotonic() + patience
  for (;;) {
    const packet = (await wire.trace(since))[direction].find(isWanted)
    if (packet !== undefined || monotonic() > deadline) return packet
    await sleep(5)
  }
}
