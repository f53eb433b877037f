/**
 * Everything in a pool that has to be looked at later, in one heap behind one timer.
 *
 * The heap is lazy: an item that is used in the meantime leaves its entry where it is, and when it comes up says when
 * to come back. So a request costs the agenda nothing, however many connections there are; each connection costs one
 * look in each of its idle times.
 */
import type { Clock, TimerHandle } from './clock.js'

export abstract class AgendaItem {
  /** When the agenda will wake it; Infinity while it is not on the agenda. Written by `Agenda` alone. */
  wakeAt = Infinity
  /** Its place in the heap, -1 for none. Written by `Agenda` alone. */
  place = -1

  /** Does what is due. Returns when to be woken next; Infinity to leave the agenda. */
  abstract wake(now: number): number
}

/** In milliseconds. Long enough to bridge a busy second, short enough that one stall does not empty a pool. */
const LAG_HALF_LIFE = 250

export class Agenda {
  readonly #clock: Clock
  readonly #heap: AgendaItem[] = []
  #timer: TimerHandle | undefined
  #timerAt = Infinity
  #lag = 0
  #lagAt = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Wakes an item at a time, or at another one than before. */
  schedule(item: AgendaItem, at: number): void {
    if (item.place < 0) {
      if (at === Infinity) return
      item.place = this.#heap.push(item) - 1
    } else if (at === Infinity) {
      this.cancel(item)
      return
    }
    item.wakeAt = at
    this.#settle(item)
    this.#arm()
  }

  /** Takes an item off; nothing happens if it is not on. */
  cancel(item: AgendaItem): void {
    const { place } = item
    if (place < 0) return
    item.place = -1
    item.wakeAt = Infinity
    const last = this.#heap.pop() as AgendaItem
    if (last !== item) {
      last.place = place
      this.#settle(last)
    }
    if (this.#heap.length === 0) this.#disarm()
  }

  /**
   * How late the event loop was of late, in milliseconds: by how much the last timers missed their time, halved with
   * every quarter of a second that has passed.
   */
  lag(now: number): number {
    return this.#lag === 0 ? 0 : this.#lag * 2 ** (-(now - this.#lagAt) / LAG_HALF_LIFE)
  }

  #arm(): void {
    const at = this.#heap[0]?.wakeAt ?? Infinity
    // A timer that fires too early costs one look; one timer is moved only to come earlier.
    if (at >= this.#timerAt) return
    this.#disarm()
    this.#timerAt = at
    this.#timer = this.#clock.setTimer(this.#run, Math.max(0, at - this.#clock.now()))
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer)
    this.#timer = undefined
    this.#timerAt = Infinity
  }

  readonly #run = (): void => {
    const now = this.#clock.now()
    this.#noteLag(Math.max(0, now - this.#timerAt), now)
    this.#timer = undefined
    // Until the round is over nothing arms: what the items schedule is looked at in the end.
    this.#timerAt = Number.NEGATIVE_INFINITY
    try {
      for (let item = this.#heap[0]; item !== undefined && item.wakeAt <= now; item = this.#heap[0])
        this.#wake(item, now)
    } finally {
      this.#disarm()
      this.#arm()
    }
  }

  #wake(item: AgendaItem, now: number): void {
    let next = Infinity // for one that throws: it leaves, and the others do not miss their time for it
    try {
      next = item.wake(now)
    } finally {
      // One that was cancelled while it was awake stays away.
      if (item.place >= 0) this.schedule(item, next > now ? next : now + 1)
    }
  }

  #noteLag(late: number, now: number): void {
    if (late < this.lag(now)) return
    this.#lag = late
    this.#lagAt = now
  }

  /** Moves an item to where its time belongs. */
  #settle(item: AgendaItem): void {
    const heap = this.#heap
    let place = item.place
    for (let parent = (place - 1) >> 1; place > 0 && item.wakeAt < at(heap, parent); parent = (place - 1) >> 1) {
      this.#put(heap[parent] as AgendaItem, place)
      place = parent
    }
    for (;;) {
      let child = 2 * place + 1
      if (at(heap, child + 1) < at(heap, child)) child++
      if (at(heap, child) >= item.wakeAt) break
      this.#put(heap[child] as AgendaItem, place)
      place = child
    }
    this.#put(item, place)
  }

  #put(item: AgendaItem, place: number): void {
    this.#heap[place] = item
    item.place = place
  }
}

/** The time at a place of the heap; Infinity behind its end. */
function at(heap: readonly AgendaItem[], place: number): number {
  return heap[place]?.wakeAt ?? Infinity
}
