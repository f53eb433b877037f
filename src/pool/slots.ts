/**
 * The cap on the connections of the whole pool, and who is next when it is reached.
 *
 * An origin that needs a slot and gets none stands in one of two lines: those that have no connection at all go first,
 * so that no origin starves behind a busy one; the others take turns.
 */
import { List } from './list.js'
import type { OriginPool } from './origin-pool.js'

export class Slots {
  /** Slots taken: open connections, and dials under way or queued. */
  used = 0
  #max: number
  readonly #makeRoom: () => boolean
  readonly #starving = new List<OriginPool>()
  readonly #hungry = new List<OriginPool>()

  /** @param makeRoom closes the least recently used idle connection; returns false if there is none */
  constructor(max: number, makeRoom: () => boolean) {
    this.#max = max
    this.#makeRoom = makeRoom
  }

  /** The origin that gets the next slot, if any still needs one. */
  get next(): OriginPool | undefined {
    for (;;) {
      const origin = this.#starving.first ?? this.#hungry.first
      if (origin === undefined || origin.needsSlot) return origin
      this.leave(origin)
    }
  }

  /** Whether a slot is free that nobody waits for. */
  get hasRoom(): boolean {
    return this.used < this.#max && this.next === undefined
  }

  /** Whether more are taken than the cap allows: it was lowered. */
  get isOver(): boolean {
    return this.used > this.#max
  }

  /** Takes a slot for a dial, or puts the origin in line and returns false. */
  take(origin: OriginPool): boolean {
    // What becomes free goes to those before it first.
    while (this.used >= this.#max && origin.needsSlot && this.#makeRoom());
    const { next } = this
    if (this.used < this.#max && (next === undefined || next === origin)) {
      this.leave(origin)
      this.used++
      return true
    }
    this.#lineUp(origin)
    return false
  }

  /** Changes the cap. */
  limit(max: number): void {
    this.#max = max
    this.#giveAway()
  }

  /** Gives a slot back, to whoever is next. */
  free(): void {
    this.used--
    this.#giveAway()
  }

  #giveAway(): void {
    while (this.used < this.#max) {
      const { next } = this
      // It takes none only while it hands a connection over, and comes back at the end of that.
      if (next === undefined || (!next.useSlot() && this.next === next)) return
    }
    this.#makeRoomForNext()
  }

  /** Somebody waits who came here when nothing was idle, and now something may be. */
  #makeRoomForNext(): void {
    if (this.used >= this.#max && this.next !== undefined) this.#makeRoom()
  }

  #lineUp(origin: OriginPool): void {
    const { slotNode } = origin
    // One that has lost its last connection since it came here moves up.
    if (origin.size === 0) this.#hungry.remove(slotNode)
    if (slotNode.list === undefined) (origin.size === 0 ? this.#starving : this.#hungry).push(slotNode)
  }

  /** The origin needs no slot any more. */
  leave(origin: OriginPool): void {
    this.#starving.remove(origin.slotNode)
    this.#hungry.remove(origin.slotNode)
  }

  /** The same, where it may have stood before others: there may be room to be made for them. */
  withdraw(origin: OriginPool): void {
    this.leave(origin)
    this.#makeRoomForNext()
  }
}
