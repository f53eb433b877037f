/**
 * Those who measure requests from their beginning to their end, sent again or not. Where there are none, a request costs one
 * look at an empty set.
 */

/**
 * A request has ended.
 *
 * @param status of its response; undefined if it had none
 * @param error what it failed with, be it in the midst of its response
 */
export type RequestEnded = (status: number | undefined, error: Error | undefined) => void

export interface RequestWatcher {
  began(origin: string, method: string): RequestEnded
}

export class RequestWatch {
  readonly #watchers = new Set<RequestWatcher>()

  /** @returns ends it */
  add(watcher: RequestWatcher): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  began(origin: string, method: string): RequestEnded | undefined {
    if (this.#watchers.size === 0) return undefined
    const [first, ...others] = [...this.#watchers].map((watcher) => watcher.began(origin, method))
    if (others.length === 0) return first
    return (status, error) => {
      for (const ended of [first, ...others]) ended?.(status, error)
    }
  }
}
