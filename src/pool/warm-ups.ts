/**
 * Dials ahead of need: whoever asks for some waits for all that are under way.
 */
import type { Dials } from './dials.js'

export class WarmUps {
  readonly #running = new Set<Promise<void>>()

  constructor(private readonly dials: Dials) {}

  /** Opens a connection that nobody waits for yet. */
  start(): void {
    const dial = new Promise<void>((resolve, reject) => {
      this.dials.start((error) => (error === undefined ? resolve() : reject(error)))
    }).finally(() => this.#running.delete(dial))
    this.#running.add(dial)
  }

  /** Resolves when all have ended that are under way now; rejects with the first error among theirs. */
  async settled(): Promise<void> {
    const failed = (await Promise.allSettled(this.#running)).find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
}
