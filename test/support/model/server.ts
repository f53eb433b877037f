/**
 * The server of one origin: says how long and how often its connections may be used, in one of the dialects there are.
 */
import type { Connection } from '../../../src/pool/connection.js'
import type { Random } from '../random.js'

const DIALECTS = ['silent', 'timeout', 'countdown', 'total', 'mixed'] as const

export class ModelServer {
  readonly #dialect: (typeof DIALECTS)[number]
  /** Requests on one connection. */
  readonly #total: number
  /** What is left by what was said on each connection, each word taken at its least. */
  readonly #left = new Map<Connection, number>()

  constructor(private readonly random: Random) {
    this.#dialect = random.pick(DIALECTS) as (typeof DIALECTS)[number]
    this.#total = 5 + random.below(40)
  }

  /** The `Keep-Alive` header of the next response, if it has one. */
  answer(connection: Connection): string | undefined {
    const header = this.#header(connection.answered + 1)
    const max = /max="?(\d+)/i.exec(header ?? '')?.[1]
    this.#left.set(connection, Math.min(this.#saidLeft(connection) - 1, Number(max ?? Infinity)))
    return header
  }

  /** Requests that may still be sent. */
  left(connection: Connection): number {
    const counts = this.#dialect === 'countdown' || this.#dialect === 'total'
    return Math.min(this.#saidLeft(connection), counts ? this.#total - connection.answered : Infinity)
  }

  #saidLeft(connection: Connection): number {
    return this.#left.get(connection) ?? Infinity
  }

  #header(answered: number): string | undefined {
    const timeout = `timeout=${this.random.percent(5) ? this.random.below(30) : 3}`
    switch (this.#dialect) {
      case 'silent':
        return undefined
      case 'timeout':
        return timeout
      case 'countdown':
        return `${timeout}, max=${this.#total - answered}`
      case 'total':
        return `max=${this.#total}, ${timeout}`
      case 'mixed':
        return this.random.pick([undefined, timeout, `max=${this.random.below(9)}`, `MAX="40" , ${timeout}`, 'junk=1'])
    }
  }
}
