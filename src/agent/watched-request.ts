/**
 * A request that has no socket, or one that is dead, tells nobody when it is destroyed; node's own agent finds out when its
 * turn comes. While it waits, its `destroy` is watched: that is what `abort()` and signals call, too.
 */
import type { ClientRequest } from 'node:http'

export class WatchedRequest {
  readonly #request: ClientRequest
  readonly #before: ClientRequest['destroy']
  readonly #destroy: ClientRequest['destroy']

  constructor(request: ClientRequest, destroyed: () => void) {
    const before = request.destroy
    this.#request = request
    this.#before = before
    this.#destroy = (error) => {
      before.call(request, error)
      destroyed()
      return request as never
    }
    request.destroy = this.#destroy
  }

  /** Watches no longer. */
  end(): void {
    const request = this.#request
    if (request.destroy !== this.#destroy) return // somebody has put another one before it
    if (this.#before === (Object.getPrototypeOf(request) as ClientRequest).destroy)
      delete (request as Partial<ClientRequest>).destroy
    else request.destroy = this.#before
  }
}
