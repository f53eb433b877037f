import { describe, expect, it } from 'vitest'
import { ListNode } from '../../src/pool/list.js'
import type { OriginPool } from '../../src/pool/origin-pool.js'
import { Slots } from '../../src/pool/slots.js'

/** What the slots know of an origin: how many it has, and that it dials when it is its turn. */
class Origin {
  readonly slotNode: ListNode<OriginPool>
  size = 0
  wants = 0

  constructor(private readonly slots: Slots) {
    this.slotNode = new ListNode(this.asPool)
  }

  get asPool(): OriginPool {
    return this as unknown as OriginPool
  }

  /** Asks for slots: as many as it wants, or until it stands in line. */
  take(count = 1): this {
    this.wants += count
    this.dial()
    return this
  }

  get needsSlot(): boolean {
    return this.wants > 0
  }

  useSlot(): boolean {
    const before = this.size
    this.dial()
    return this.size > before
  }

  give(count = 1): void {
    for (let n = 0; n < count; n++) {
      this.size--
      this.slots.free()
    }
  }

  private dial(): void {
    while (this.wants > 0 && this.slots.take(this.asPool)) {
      this.wants--
      this.size++
    }
  }
}

const nothing = (): boolean => false

describe('slots', () => {
  it('are given until the cap, not beyond', () => {
    const slots = new Slots(3, nothing)
    const [a, b] = [new Origin(slots).take(2), new Origin(slots).take(2)]
    expect([a.size, b.size, slots.used, slots.hasRoom]).toEqual([2, 1, 3, false])
    expect(slots.next).toBe(b.asPool)
  })

  it('are never short without a cap', () => {
    const slots = new Slots(Infinity, nothing)
    expect(new Origin(slots).take(5_000).size).toBe(5_000)
    expect(slots.hasRoom).toBe(true)
  })

  it('go to the one that has none before those that have some', () => {
    const slots = new Slots(2, nothing)
    const [a, b, c] = [new Origin(slots).take(1), new Origin(slots).take(1), new Origin(slots)]
    a.take()
    c.take()
    expect(slots.next).toBe(c.asPool)
    b.give()
    expect([a.size, b.size, c.size]).toEqual([1, 0, 1])
    expect(slots.next).toBe(a.asPool)
  })

  it('go in turns to those that have some: one each', () => {
    const slots = new Slots(4, nothing)
    const [a, b, full] = [new Origin(slots).take(1), new Origin(slots).take(1), new Origin(slots).take(2)]
    a.take(3)
    b.take(3)
    full.give(2)
    expect([a.size, b.size, full.size]).toEqual([2, 2, 0])
  })

  it('do not go to one that has left the line', () => {
    const slots = new Slots(1, nothing)
    const [a, b, c] = [new Origin(slots).take(1), new Origin(slots).take(1), new Origin(slots).take(1)]
    slots.leave(b.asPool)
    a.give()
    expect([b.size, c.size, slots.next]).toEqual([0, 1, undefined])
  })

  it('pass by those in line who need none any more', () => {
    const slots = new Slots(1, nothing)
    const [a, b, c] = [new Origin(slots).take(1), new Origin(slots).take(1), new Origin(slots).take(1)]
    b.wants = 0
    a.give()
    expect([b.size, c.size, slots.next]).toEqual([0, 1, undefined])
  })

  it('are made room for when all are taken, for those in line first', () => {
    const asked: number[] = []
    const idle: Origin[] = []
    const slots: Slots = new Slots(2, () => {
      asked.push(slots.used)
      const one = idle.pop()
      one?.give()
      return one !== undefined
    })
    idle.push(new Origin(slots).take(1))
    const busy = new Origin(slots).take(1)
    const late = new Origin(slots).take(1)
    expect([asked, late.size, busy.size, slots.used]).toEqual([[2], 1, 1, 2])
    // The next one finds nothing idle and stands in line; so does whoever comes behind, until something is idle after all.
    const [first, second] = [new Origin(slots).take(1), new Origin(slots).take(1)]
    expect([asked, first.size, second.size]).toEqual([[2, 2, 2], 0, 0])
    idle.push(late)
    const third = new Origin(slots).take(1)
    expect([first.size, second.size, third.size]).toEqual([1, 0, 0])
  })
})
