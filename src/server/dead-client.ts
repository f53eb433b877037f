/**
 * What the socket of a client is destroyed with that was found dead: the server's handlers see of it what they would see
 * if the kernel had found it, in a quarter of an hour.
 */
import type { ClientSnapshot } from './snapshot.js'

export class DeadClientError extends Error {
  override readonly name = 'DeadClientError'
  readonly code = 'ETIMEDOUT'
  readonly syscall = 'read'

  constructor({ remoteAddress, remotePort }: Pick<ClientSnapshot, 'remoteAddress' | 'remotePort'>, lastHeard: number) {
    super(`read ETIMEDOUT: ${remoteAddress}:${remotePort} has answered nothing for ${Math.round(lastHeard)} ms`)
  }
}
