/**
 * The idle connections of one origin, the longest idle first; they stand in the pool's own list as well, where a cap on
 * the whole pool asks for one.
 */
import type { Connection } from './connection.js'
import { List, ListNode } from './list.js'

const idlesLonger = (first: Connection, second: Connection): boolean => first.idleSince <= second.idleSince

export class IdleList {
  readonly #own = new List<Connection>()
  readonly #pool: { readonly idle: List<Connection> | undefined }
  readonly #lastInFirstOut: boolean

  /** @param pool has the list of all idle connections, where a cap asks for one */
  constructor(pool: { readonly idle: List<Connection> | undefined }, scheduling: 'lifo' | 'fifo') {
    this.#pool = pool
    this.#lastInFirstOut = scheduling === 'lifo'
  }

  get size(): number {
    return this.#own.size
  }

  /** The one that idles for longest. */
  get oldest(): Connection | undefined {
    return this.#own.first
  }

  /** The one to be used next. */
  get next(): Connection | undefined {
    return this.#lastInFirstOut ? this.#own.last : this.#own.first
  }

  add(connection: Connection): void {
    // Nearly always the last; one that settled, or whose response had waited, has been idle for longer than it seems.
    this.#own.insertFromEnd(connection.idleNode, idlesLonger)
    this.#addToPool(connection)
  }

  #addToPool(connection: Connection): void {
    const { idle } = this.#pool
    if (idle === undefined) return
    connection.poolNode ??= new ListNode(connection)
    idle.insertFromEnd(connection.poolNode, idlesLonger)
  }

  /** Not to be used any more, but still there for a cap on the whole pool to ask for. */
  hide(connection: Connection): void {
    this.#own.remove(connection.idleNode)
    if (connection.poolNode?.list === undefined) this.#addToPool(connection)
  }

  remove(connection: Connection): void {
    this.#own.remove(connection.idleNode)
    if (connection.poolNode !== undefined) this.#pool.idle?.remove(connection.poolNode)
  }

  /** The pool has got a list of its own meanwhile: puts them there. */
  list(): void {
    for (const connection of this.#own) this.#addToPool(connection)
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#own[Symbol.iterator]()
  }
}
