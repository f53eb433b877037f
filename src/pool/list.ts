/**
 * A doubly linked list whose nodes belong to what they hold, so that anything can leave from the middle in O(1) and
 * nothing is allocated to move it from one list to another.
 */

export class ListNode<T> {
  /** Neighbours and list: written by `List` alone. */
  previous: ListNode<T> | undefined = undefined
  next: ListNode<T> | undefined = undefined
  list: List<T> | undefined = undefined

  constructor(readonly value: T) {}
}

/** Whether the first comes before the second. */
export type Order<T> = (first: T, second: T) => boolean

export class List<T> {
  #first: ListNode<T> | undefined = undefined
  #last: ListNode<T> | undefined = undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  get first(): T | undefined {
    return this.#first?.value
  }

  get last(): T | undefined {
    return this.#last?.value
  }

  /** Adds a node that is in no list at the end. */
  push(node: ListNode<T>): void {
    this.#link(node, this.#last, undefined)
  }

  /** Adds a node that is in no list where it belongs by an order; its place is looked for from the beginning. */
  insertFromStart(node: ListNode<T>, precedes: Order<T>): void {
    let next = this.#first
    while (next !== undefined && precedes(next.value, node.value)) next = next.next
    this.#link(node, next === undefined ? this.#last : next.previous, next)
  }

  /** The same, looked for from the end. */
  insertFromEnd(node: ListNode<T>, precedes: Order<T>): void {
    let previous = this.#last
    while (previous !== undefined && !precedes(previous.value, node.value)) previous = previous.previous
    this.#link(node, previous, previous === undefined ? this.#first : previous.next)
  }

  #link(node: ListNode<T>, previous: ListNode<T> | undefined, next: ListNode<T> | undefined): void {
    node.list = this
    node.previous = previous
    node.next = next
    if (previous === undefined) this.#first = node
    else previous.next = node
    if (next === undefined) this.#last = node
    else next.previous = node
    this.#size++
  }

  /** Removes and returns the first. */
  shift(): T | undefined {
    const node = this.#first
    if (node === undefined) return undefined
    this.remove(node)
    return node.value
  }

  /** Removes a node; nothing happens if it is not in this list. */
  remove(node: ListNode<T>): void {
    if (node.list !== this) return
    const { previous, next } = node
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    node.previous = node.next = node.list = undefined
    this.#size--
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let node = this.#first; node !== undefined; ) {
      // Taken first: the visitor may remove the node it is at.
      const { next, value } = node
      yield value
      node = next
    }
  }
}
