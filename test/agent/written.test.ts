import { describe, expect, it } from 'vitest'
import type { Piece } from '../../src/agent/node-request.js'
import { Written } from '../../src/agent/written.js'
import { MOST_REMEMBERED } from '../../src/replay/remembered-body.js'

/** What the callback of each write is told, in order. */
function tellers(...names: string[]) {
  const told: string[] = []
  const callbacks = names.map(
    (name) => (error?: Error | null) => void told.push(`${name} ${error?.message ?? 'written'}`),
  )
  return { told, callbacks }
}

const textOf = ({ data }: Piece): string => Buffer.from(data as string, 'utf8').toString()
const call = (callback: Piece['callback'], error?: Error | null): void => callback!(error)

describe('what was written', () => {
  it('is remembered in order, as it was given', () => {
    const written = new Written()
    written.add('a', 'latin1', null)
    written.add(new Uint8Array([0x62]), undefined, undefined)
    written.add('63', 'hex', null)
    expect(written.whole).toBe(true)
    expect(written.pieces).toEqual([
      { data: 'a', encoding: 'latin1', callback: null },
      { data: Buffer.from('b'), encoding: undefined, callback: undefined },
      { data: '63', encoding: 'hex', callback: null },
    ])
  })

  it('stays what it was when its owner fills the buffer anew', () => {
    const written = new Written()
    const buffer = Buffer.from('one')
    written.add(buffer, null, null)
    buffer.write('two')
    written.add(buffer, null, null)
    buffer.fill('?')
    expect(written.pieces.map(textOf)).toEqual(['one', 'two'])
  })

  it('is nothing at first, and whole', () => {
    const written = new Written()
    expect(written).toMatchObject({ whole: true, pieces: [] })
  })

  it('is remembered up to a limit, and not one byte more', () => {
    const written = new Written(10)
    written.add('12345', null, null)
    written.add(Buffer.from('12345'), null, null)
    expect(written.whole).toBe(true)
    expect(written.pieces).toHaveLength(2)
    written.add('', null, null)
    expect(written.whole).toBe(true)
    written.add('1', null, null)
    expect(written).toMatchObject({ whole: false, pieces: [] })
  })

  it('is remembered up to 1 MiB', () => {
    const written = new Written()
    written.add(Buffer.alloc(MOST_REMEMBERED), null, null)
    expect(written.whole).toBe(true)
    written.add('1', null, null)
    expect(written.whole).toBe(false)
    expect(MOST_REMEMBERED).toBe(1024 * 1024)
  })

  it('is not remembered again once it was too long, or forgotten', () => {
    for (const lose of [(each: Written) => void each.add('too long', null, null), (each: Written) => each.forget()]) {
      const written = new Written(3)
      lose(written)
      written.add('a', null, null)
      expect(written).toMatchObject({ whole: false, pieces: [] })
    }
  })
})

describe('the callback of a write', () => {
  it('is called once, with what became of it: a failure when it is clear that it was one', () => {
    const written = new Written()
    const { told, callbacks } = tellers('a', 'b')
    const [a, b] = callbacks.map((callback) => written.add('text', null, callback))
    call(a)
    call(b, new Error('failed'))
    call(a, new Error('late'))
    expect(told).toEqual(['a written'])
    written.fail()
    call(b)
    expect(told).toEqual(['a written', 'b failed'])
  })

  it('is none where none was given', () => {
    const written = new Written()
    expect(written.add('text', null, null)).toBeNull()
    expect(written.add('text', null, undefined)).toBeUndefined()
  })

  it('is the one that was given where nothing is remembered any more', () => {
    const written = new Written(3)
    const { told, callbacks } = tellers('too long', 'after it')
    const wrapped = callbacks.map((callback) => written.add('text', null, callback))
    for (const each of wrapped) call(each)
    expect(told).toEqual(['too long written', 'after it written'])
  })

  it('that was given before it became too long is called all the same, on trial or not', () => {
    for (const isOnTrial of [false, true]) {
      const written = new Written(4)
      const { told, callbacks } = tellers('before', 'too long')
      const [before, tooLong] = callbacks.map((callback) => written.add('text', null, callback))
      if (isOnTrial) written.suspend()
      call(before, new Error('failed'))
      call(tooLong, new Error('failed'))
      if (isOnTrial) written.fail()
      expect(told.sort()).toEqual(['before failed', 'too long failed'])
    }
  })

  it('is kept waiting on trial, be it failed or not, until all is lost', () => {
    const written = new Written()
    const { told, callbacks } = tellers('before', 'written', 'failed', 'later')
    const [before, , failed, later] = callbacks.map((callback) => written.add('text', null, callback))
    call(before)
    written.suspend()
    call(failed, new Error('no'))
    expect(told).toEqual(['before written'])
    written.fail()
    expect(told).toEqual(['before written', 'failed no'])
    call(later, new Error('no'))
    expect(told).toEqual(['before written', 'failed no', 'later no'])
    expect(written).toMatchObject({ whole: false, pieces: [] })
  })

  it('of what is written again is that of the second write, unless the first was told', () => {
    const first = new Written()
    const { told, callbacks } = tellers('told', 'dying', 'waiting')
    const [done, dying, waiting] = callbacks.map((callback) => first.add('text', null, callback))
    call(done)
    first.suspend()
    call(dying, null) // node says so of what was under way when a socket is destroyed
    call(waiting, new Error('destroyed'))
    expect(told).toEqual(['told written'])

    const second = new Written()
    const again = first.pieces.map(({ data, encoding, callback }) => second.add(data, encoding, callback))
    for (const each of again) if (each) call(each)
    expect(told).toEqual(['told written', 'dying written', 'waiting written'])
    // The dead socket has its say, late.
    call(dying, new Error('late'))
    call(waiting, new Error('late'))
    expect(told).toHaveLength(3)
  })

  it('may write more: what is told in the meantime is told in order', () => {
    const written = new Written()
    const told: string[] = []
    const b = written.add('b', null, () => void told.push('b'))
    const a = written.add('a', null, () => {
      told.push('a')
      written.add('c', null, null)
    })
    written.suspend()
    call(a, new Error('no'))
    call(b, new Error('no'))
    written.fail()
    expect(told).toEqual(['a', 'b'])
  })
})
