/**
 * Who stands in line at each origin, by the model's own account: first come, first served, and those apart who insist on a
 * new connection.
 */
import type { OriginPool } from '../../../src/pool/origin-pool.js'
import type { ModelRequest } from './request.js'

export class ModelLines {
  readonly #lines = new Map<OriginPool, ModelRequest[]>()

  /** Those in line, be it the one or the other, first come first. */
  at(origin: OriginPool): readonly ModelRequest[] {
    return this.#lines.get(origin) ?? []
  }

  /** Those who insist on a new connection. */
  forNewAt(origin: OriginPool): ModelRequest[] {
    return this.at(origin).filter(({ wantsNew }) => wantsNew)
  }

  get all(): ModelRequest[] {
    return [...this.#lines.values()].flat()
  }

  enter(request: ModelRequest): void {
    const line = [...this.at(request.origin), request]
    this.#lines.set(
      request.origin,
      line.sort((a, b) => a.number - b.number),
    )
  }

  leave(request: ModelRequest): void {
    this.#lines.set(
      request.origin,
      this.at(request.origin).filter((each) => each !== request),
    )
  }
}
