/** Reads what a relay may be asked about a packet, IPv4 and TCP headers, nothing more; and tells packets apart. */

const TCP = 6

/**
 * @typedef {object} PacketSummary
 * @property {number} length bytes of the packet
 * @property {string} source address; '' for what is not TCP
 * @property {string} target address
 * @property {number} sourcePort
 * @property {number} targetPort
 * @property {string} flags of S, A, F, R and P those that are set; '' for what is not TCP
 * @property {number} sequence
 * @property {number} acknowledgement
 * @property {number} payload bytes of TCP payload
 * @property {number} window as it stands in the header; 0 says that there is no room
 */

/**
 * @param {Buffer} packet
 * @returns {PacketSummary}
 */
export function summarize(packet) {
  const summary = {
    length: packet.length,
    source: '',
    target: '',
    sourcePort: 0,
    targetPort: 0,
    flags: '',
    sequence: 0,
    acknowledgement: 0,
    payload: 0,
    window: 0,
  }
  const ipLength = (packet[0] & 0x0f) * 4
  if (packet[0] >> 4 !== 4 || packet[9] !== TCP || packet.length < ipLength + 20) return summary
  const flags = packet[ipLength + 13]
  return {
    length: packet.length,
    source: packet.subarray(12, 16).join('.'),
    target: packet.subarray(16, 20).join('.'),
    sourcePort: packet.readUInt16BE(ipLength),
    targetPort: packet.readUInt16BE(ipLength + 2),
    flags: ['F', 'S', 'R', 'P', 'A'].filter((_, bit) => flags & (1 << bit)).join(''),
    sequence: packet.readUInt32BE(ipLength + 4),
    acknowledgement: packet.readUInt32BE(ipLength + 8),
    payload: packet.readUInt16BE(2) - ipLength - (packet[ipLength + 12] >> 4) * 4,
    window: packet.readUInt16BE(ipLength + 14),
  }
}

/**
 * Kinds of packets that can be dropped; a packet may be of several kinds.
 * @type {Record<'all' | 'syn' | 'fin' | 'rst' | 'data' | 'ack', (packet: PacketSummary) => boolean>}
 */
export const KINDS = {
  all: () => true,
  syn: ({ flags }) => flags.includes('S'),
  fin: ({ flags }) => flags.includes('F'),
  rst: ({ flags }) => flags.includes('R'),
  data: ({ payload }) => payload > 0,
  /** Acknowledges and says nothing else. */
  ack: ({ flags, payload }) => flags === 'A' && payload === 0,
}

/**
 * Packets of which all holds that is said: they come from or go to one of these ports, and addresses. `clientPorts` are those
 * at the other end, for single connections: a client may have several from the same port to different ones.
 * @typedef {{ ports?: number[], addresses?: string[], clientPorts?: number[] }} Place
 */

/** @param {Place} place  @param {PacketSummary} packet */
export function concerns({ ports, addresses, clientPorts }, { source, target, sourcePort, targetPort }) {
  const either = (wanted, one, other) => wanted === undefined || wanted.includes(one) || wanted.includes(other)
  return (
    either(ports, sourcePort, targetPort) &&
    either(addresses, source, target) &&
    either(clientPorts, sourcePort, targetPort)
  )
}
