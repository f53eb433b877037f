import { Blob as BufferBlob, File as NodeFile } from 'node:buffer'
import { PassThrough, Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { FormData as UndiciFormData } from 'undici'
import { describe, expect, it } from 'vitest'
import { isRepeatable, isStream, remembered } from '../../src/dispatcher/body.js'
import { RememberedBody } from '../../src/replay/remembered-body.js'

function* generator(): Generator<string> {
  yield 'a'
}
async function* asyncGenerator(): AsyncGenerator<string> {
  yield 'a'
}
const subclass = new (class extends Blob {})(['a'])

describe('bodies that are one piece', () => {
  const pieces: [what: string, body: unknown][] = [
    ['null', null],
    ['none', undefined],
    ['a string', 'a'],
    ['an empty string', ''],
    ['a Buffer', Buffer.from('a')],
    ['a Uint8Array', new Uint8Array(1)],
    ['a Uint16Array', new Uint16Array(1)],
    ['a DataView', new DataView(new ArrayBuffer(1))],
    ['an ArrayBuffer', new ArrayBuffer(1)],
    ['the global FormData', new FormData()],
    ["undici's FormData", new UndiciFormData()],
    ['the global Blob', new Blob(['a'])],
    ["node:buffer's Blob", new BufferBlob(['a'])],
    ['a subclass of Blob', subclass],
    ['a File', new NodeFile(['a'], 'name')],
  ]
  it.each(pieces)('are sent as they are, and can be sent again: %s', (_what, body) => {
    expect(remembered(body)).toBe(body)
    expect(isRepeatable(body)).toBe(true)
  })
})

describe('bodies that end with their first reading', () => {
  const iterables: [what: string, make: () => unknown][] = [
    ['a generator', generator],
    ['an asynchronous generator', asyncGenerator],
    ['an array', () => ['a']],
    ['a Set', () => new Set(['a'])],
    ['a ReadableStream', () => new Blob(['a']).stream()],
    ['an iterable of its own', () => ({ [Symbol.iterator]: generator })],
    ['an asynchronous iterable of its own', () => ({ [Symbol.asyncIterator]: asyncGenerator })],
  ]
  it.each(iterables)('cannot be sent again as they are, and can be once they are remembered: %s', (_what, make) => {
    const body = make()
    expect(isRepeatable(body)).toBe(false)
    const kept = remembered(body)
    expect(kept).toBeInstanceOf(RememberedBody)
    expect(isRepeatable(kept)).toBe(true)
  })

  it('are remembered once: what remembers already stays', () => {
    const kept = remembered(generator())
    expect(remembered(kept)).toBe(kept)
  })

  it('cannot be sent again once they were too long, or have failed', async () => {
    const long = new RememberedBody(['ab'], 1)
    for await (const _ of long);
    expect(isRepeatable(long)).toBe(false)
    const failed = new RememberedBody({
      [Symbol.iterator]: () => ({
        next() {
          throw new Error('no')
        },
      }),
    })
    await expect(failed[Symbol.asyncIterator]().next()).rejects.toThrow('no')
    expect(isRepeatable(failed)).toBe(false)
  })
})

describe('streams', () => {
  it('are not remembered, Readable or anything that pipes', () => {
    const old = { pipe() {}, on() {}, [Symbol.asyncIterator]: asyncGenerator }
    for (const stream of [Readable.from(['a']), new PassThrough(), old]) expect(remembered(stream)).toBe(stream)
  })

  it('can be sent as long as nobody has read from them', async () => {
    const stream = Readable.from(['a', 'b'])
    expect(isStream(stream)).toBe(true)
    expect(isRepeatable(stream)).toBe(true)
    stream.read()
    await sleep(1)
    stream.read()
    expect(isRepeatable(stream)).toBe(false)
  })

  it('cannot be sent again when they are destroyed, or of a make that does not tell', () => {
    const destroyed = Readable.from(['a'])
    destroyed.destroy()
    expect(isRepeatable(destroyed)).toBe(false)
    expect(isRepeatable({ pipe() {}, on() {} })).toBe(false)
  })
})
