import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { List, ListNode } from '../../src/pool/list.js'

describe('a list', () => {
  it('is empty at first', () => {
    const list = new List<string>()
    expect([list.size, list.first, list.last, list.shift(), [...list]]).toEqual([
      0,
      undefined,
      undefined,
      undefined,
      [],
    ])
  })

  it('takes at its end or before another, gives from the first, and lets the middle go', () => {
    const list = new List<string>()
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((value) => new ListNode(value)) as [
      ListNode<string>,
      ...ListNode<string>[],
    ]
    list.push(b!)
    list.push(c!)
    list.insertFromStart(a, () => false)
    list.push(d!)
    expect([...list]).toEqual(['a', 'b', 'c', 'd'])
    list.remove(b!)
    expect([list.size, list.first, list.last]).toEqual([3, 'a', 'd'])
    expect(list.shift()).toBe('a')
    list.remove(d!)
    expect([list.size, list.first, list.last]).toEqual([1, 'c', 'c'])
  })

  it('does nothing for a node of another list, or of none', () => {
    const [list, other] = [new List<number>(), new List<number>()]
    const node = new ListNode(1)
    list.remove(node)
    other.push(node)
    list.push(new ListNode(2))
    list.remove(node)
    expect([[...list], [...other]]).toEqual([[2], [1]])
  })

  it('lets a node move to another list', () => {
    const [list, other] = [new List<number>(), new List<number>()]
    const node = new ListNode(1)
    list.push(node)
    list.remove(node)
    other.push(node)
    expect([list.size, node.list === other]).toEqual([0, true])
  })

  it('lets a visitor remove the node it is at', () => {
    const list = new List<number>()
    const nodes = [1, 2, 3].map((value) => new ListNode(value))
    for (const node of nodes) list.push(node)
    const seen: number[] = []
    for (const value of list) {
      seen.push(value)
      list.remove(nodes[value - 1]!)
    }
    expect([seen, list.size]).toEqual([[1, 2, 3], 0])
  })

  it('is like an array, whatever is done with it', () => {
    const steps = fc.array(
      fc.tuple(fc.constantFrom('push', 'insertFromStart', 'insertFromEnd', 'shift', 'remove'), fc.nat(9)),
      { maxLength: 80 },
    )
    fc.assert(
      fc.property(steps, (done) => {
        const list = new List<number>()
        const nodes = Array.from({ length: 10 }, (_, value) => new ListNode(value))
        let model: number[] = []
        for (const [step, value] of done) {
          const node = nodes[value]!
          if (step === 'shift') expect(list.shift()).toBe(model.shift())
          else if (step === 'remove') {
            list.remove(node)
            model = model.filter((each) => each !== value)
          } else if (!model.includes(value)) {
            if (step === 'push') list.push(node)
            else list[step](node, (first, second) => first < second)
            // From the start it stops before the first that is larger, from the end behind the last that is smaller.
            const larger = model.findIndex((each) => each > value)
            const smaller = model.findLastIndex((each) => each < value)
            const end = model.length
            const places = { push: end, insertFromStart: larger < 0 ? end : larger, insertFromEnd: smaller + 1 }
            model.splice(places[step], 0, value)
          }
          expect([...list]).toEqual(model)
          expect([list.size, list.first, list.last]).toEqual([model.length, model[0], model.at(-1)])
        }
      }),
    )
  })
})
