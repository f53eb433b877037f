/**
 * A request that has no socket, or one that is dead, tells nobody when it is destroyed; node's own agent finds out when its
 * turn comes. While it waits, its `destroy` is watched, which is what `abort()` and signals call, too; and its `setTimeout`,
 * which node applies to the socket that it does not have yet.
 */
import { ClientRequest } from 'node:http'

export interface RequestWatcher {
  destroyed(error: Error | undefined): void
  /** In milliseconds. */
  timeoutSet(timeout: number): void
}

const WATCHER = Symbol('keepwise watcher')

type Watched = ClientRequest & { [WATCHER]?: RequestWatcher | undefined }
type Methods = Pick<ClientRequest, 'destroy' | 'setTimeout'>

const watched = ({ destroy, setTimeout }: Methods): Methods => ({
  destroy(this: Watched, error) {
    destroy.call(this, error)
    this[WATCHER]?.destroyed(error)
    return this as never
  },
  setTimeout(this: Watched, timeout, callback) {
    setTimeout.call(this, timeout, callback)
    this[WATCHER]?.timeoutSet(timeout)
    return this
  },
})

/** Those of nearly all requests: node's own. */
const plain = ClientRequest.prototype
const plainWatched = watched(plain)

export class WatchedRequest {
  readonly #request: Watched

  constructor(request: ClientRequest, watcher: RequestWatcher) {
    this.#request = request
    // Put there once, and left there: to take properties off again would make the whole request slower.
    if (!(WATCHER in request)) {
      const isPlain = request.destroy === plain.destroy && request.setTimeout === plain.setTimeout
      const { destroy, setTimeout } = isPlain ? plainWatched : watched(request)
      request.destroy = destroy
      request.setTimeout = setTimeout
    }
    this.#request[WATCHER] = watcher
  }

  /** Watches no longer. */
  end(): void {
    this.#request[WATCHER] = undefined
  }
}
