/**
 * Asks a peer at once whether it is there, out of turn.
 *
 * The kernel sends a keepalive probe when a connection has been silent for Ti. When Ti is set, it looks whether it has been
 * so already, and then does not wait (tcp_sock_set_keepidle_locked): so with Ti at its smallest, a probe leaves now, or when
 * the connection has been silent for a second. Ti is to be put back when the answer is there.
 */
import type { Native } from './native.js'
import { IPPROTO_TCP, TCP_KEEPIDLE } from './socket-options.js'

const SHORTEST_IDLE_SECONDS = 1

/**
 * @param fd of a socket on which keepalive is switched on
 * @returns whether the kernel has taken it
 */
export function askAtOnce(fd: number, native: Native): boolean {
  return native.setInt(fd, IPPROTO_TCP, TCP_KEEPIDLE, SHORTEST_IDLE_SECONDS) === 0
}
