/** Who dials, seen from the packets. */
import type { Wire } from '../../support/wire/wire.js'

/** How many connections somebody has tried to open since then, repeated SYNs not counted. */
export async function dialsTo(
  wire: Wire,
  since: number,
  isMeant: (packet: { target: string; targetPort: number }) => boolean,
): Promise<number> {
  const { toServer } = await wire.trace(since)
  const syns = toServer.filter((packet) => packet.flags.includes('S') && isMeant(packet))
  return new Set(syns.map(({ sourcePort }) => sourcePort)).size
}
