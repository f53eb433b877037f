/**
 * What a server has processed, by the ids in the requests' `x-request-id` headers, so that "processed twice" is counted
 * where it happens. Where a file is given, every id is in it before the request is answered: it outlives a SIGKILL.
 */
import { openSync, readFileSync, writeSync } from 'node:fs'

/** The header that names a request, in small letters. */
export const ID_HEADER = 'x-request-id'

export class Ledger {
  #times = new Map()
  #file

  /** @param {string} [path] */
  constructor(path) {
    if (path !== undefined) this.#file = openSync(path, 'a')
  }

  /** Reads what a server wrote into its file. @param {string} path */
  static read(path) {
    return Ledger.of(readFileSync(path, 'utf8').split('\n').filter(Boolean))
  }

  /** @param {Iterable<string>} ids */
  static of(ids) {
    const ledger = new Ledger()
    for (const id of ids) ledger.add(id)
    return ledger
  }

  /** The application has got this request. */
  add(id) {
    this.#times.set(id, (this.#times.get(id) ?? 0) + 1)
    if (this.#file !== undefined) writeSync(this.#file, `${id}\n`)
  }

  /** How often requests were processed, those that came twice counted twice. */
  get requests() {
    return [...this.#times.values()].reduce((sum, times) => sum + times, 0)
  }

  /**
   * The ids that were processed, each with how often.
   * @returns {ReadonlyMap<string, number>}
   */
  get times() {
    return this.#times
  }

  /** @returns {string[]} */
  get twice() {
    return [...this.#times].filter(([, times]) => times > 1).map(([id]) => id)
  }
}
