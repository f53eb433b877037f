/**
 * The servers of one origin: say how long and how often their connections may be used, in one of the dialects there are,
 * and close idle ones when they think fit, which may be sooner than they said.
 */
import type { Connection } from '../../../src/pool/connection.js'
import type { Random } from '../random.js'

const DIALECTS = ['silent', 'silent', 'timeout', 'countdown', 'total', 'mixed'] as const

/** Where the servers of each origin are. */
export const ADDRESSES = ['10.0.0.1', '10.0.0.2']

/** Milliseconds after which they close idle connections. */
const PATIENCE = [Infinity, Infinity, 20, 700, 1_500, 1_500, 2_500, 6_000]

/** A timer that is this late at the most, in milliseconds. */
const LATE = 40

export class ModelServer {
  readonly #dialect: (typeof DIALECTS)[number]
  /** Requests on one connection. */
  readonly #total: number
  /** What is left by what was said on each connection, each word taken at its least. */
  readonly #left = new Map<Connection, number>()
  readonly #patience = new Map<string, number>()

  /** @param patient whether it is one of those that say nothing, and mostly let connections idle: long enough to die */
  constructor(
    private readonly random: Random,
    private readonly patient = false,
  ) {
    this.#dialect = patient ? 'silent' : (random.pick(DIALECTS) as (typeof DIALECTS)[number])
    this.#total = 5 + random.below(40)
    this.reconfigure()
  }

  /** Each has another patience from now on. */
  reconfigure(): void {
    for (const address of ADDRESSES) {
      const keeps = this.patient && this.random.percent(70)
      this.#patience.set(address, keeps ? Infinity : (this.random.pick(PATIENCE) as number))
    }
  }

  /** For how long it lets a connection idle that it has just answered on. */
  patience(address: string): number {
    return (this.#patience.get(address) as number) + (this.random.percent(30) ? this.random.below(LATE) : 0)
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
