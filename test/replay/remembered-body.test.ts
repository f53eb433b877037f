import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { MOST_REMEMBERED, RememberedBody } from '../../src/replay/remembered-body.js'
import { catchingUncaught, turns } from '../dispatcher/support.js'

/** An asynchronous source that counts what is done to it. */
class Source implements AsyncIterable<string> {
  pulled = 0
  ended = 0
  /** Times that its end was reached, or it was told to end. */
  finished = 0

  constructor(readonly chunks: readonly string[]) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    try {
      for (const chunk of this.chunks) {
        this.pulled++
        yield chunk
      }
      this.ended++
    } finally {
      this.finished++
    }
  }
}

/** A source whose next chunk comes when the test says so. */
function slowSource(): { source: AsyncIterable<string>; give: (chunk: string) => void; pulls: () => number } {
  const asked: ((chunk: string) => void)[] = []
  let pulls = 0
  const next = (): Promise<IteratorResult<string>> =>
    new Promise((resolve) => {
      pulls++
      asked.push((value) => resolve({ done: false, value }))
    })
  return {
    source: { [Symbol.asyncIterator]: () => ({ next }) },
    give: (chunk) => asked.shift()!(chunk),
    pulls: () => pulls,
  }
}

async function readAll(body: AsyncIterable<unknown>): Promise<unknown[]> {
  const chunks: unknown[] = []
  for await (const chunk of body) chunks.push(chunk)
  return chunks
}

/** The next `count` chunks. */
async function read(reader: AsyncIterator<unknown>, count: number): Promise<unknown[]> {
  const chunks: unknown[] = []
  while (chunks.length < count) {
    const { done, value } = await reader.next()
    if (done) throw new Error(`ended after ${chunks.length} chunks`)
    chunks.push(value)
  }
  return chunks
}

const start = (body: RememberedBody): AsyncIterator<unknown> => body[Symbol.asyncIterator]()

/** To be cut off is no end: what the reader has got so far must not be taken for the whole body. */
async function isCutOff(next: Promise<IteratorResult<unknown>>): Promise<void> {
  await expect(next).rejects.toThrow('read by somebody else, or not wanted any more')
}

describe('a remembered body', () => {
  it('is read in order, and from its beginning by each reader', async () => {
    const source = new Source(['a', 'b', 'c'])
    const body = new RememberedBody(source)
    expect(await readAll(body)).toEqual(['a', 'b', 'c'])
    expect(await readAll(body)).toEqual(['a', 'b', 'c'])
    expect(await readAll(body)).toEqual(['a', 'b', 'c'])
    expect(source).toMatchObject({ pulled: 3, ended: 1, finished: 1 })
    expect(body.repeatable).toBe(true)
  })

  it('is not begun before somebody reads it', async () => {
    const source = new Source(['a'])
    const body = new RememberedBody(source)
    const reader = start(body)
    await turns()
    expect(source.pulled).toBe(0)
    expect(body.repeatable).toBe(true)
    expect(await read(reader, 1)).toEqual(['a'])
  })

  it('takes a chunk from its source when its reader wants one, and none ahead', async () => {
    const source = new Source(['a', 'b', 'c'])
    const body = new RememberedBody(source)
    const reader = start(body)
    for (let count = 1; count <= 3; count++) {
      await read(reader, 1)
      await turns()
      expect(source.pulled).toBe(count)
    }
    const again = start(body)
    await read(again, 2)
    await turns()
    expect(source.pulled).toBe(3)
    expect(source.ended).toBe(0)
  })

  it('goes on, for a second reader, where the first one stopped', async () => {
    const source = new Source(['a', 'b', 'c'])
    const body = new RememberedBody(source)
    for await (const chunk of body) if (chunk === 'b') break
    expect(source).toMatchObject({ pulled: 2, finished: 0 })
    expect(await readAll(body)).toEqual(['a', 'b', 'c'])
    expect(source).toMatchObject({ pulled: 3, finished: 1 })
  })

  it('cuts a reader off when another one begins', async () => {
    const body = new RememberedBody(new Source(['a', 'b', 'c']))
    const first = start(body)
    await read(first, 1)
    const second = start(body)
    expect(await read(second, 2)).toEqual(['a', 'b'])
    await isCutOff(first.next())
    expect(await read(second, 1)).toEqual(['c'])
    expect(await second.next()).toEqual({ done: true, value: undefined })
  })

  it('cuts its readers off when it is told to, and takes nothing from its source for them', async () => {
    const source = new Source(['a', 'b'])
    const body = new RememberedBody(source)
    const reader = start(body)
    await read(reader, 1)
    body.cutOff()
    await isCutOff(reader.next())
    expect(source).toMatchObject({ pulled: 1, finished: 0 })
    expect(await readAll(body)).toEqual(['a', 'b'])
  })

  it('gives the chunk that two readers wait for to the later one, and takes it from the source once', async () => {
    const { source, give, pulls } = slowSource()
    const body = new RememberedBody(source)
    const first = start(body)
    const cutOff = isCutOff(first.next())
    const second = start(body)
    const chunk = second.next()
    await turns()
    expect(pulls()).toBe(1)
    give('a')
    await cutOff
    expect(await chunk).toEqual({ done: false, value: 'a' })
    expect(pulls()).toBe(1)
  })

  it('remembers bytes as they were when they were read, though their owner uses the buffer again', async () => {
    const buffer = Buffer.alloc(3)
    async function* source(): AsyncGenerator<Buffer> {
      for (const text of ['one', 'two', 'six']) {
        buffer.write(text)
        yield buffer
      }
    }
    const body = new RememberedBody(source())
    const texts = async () => (await readAll(body)).map(String)
    const first = start(body)
    expect((await read(first, 2)).map(String)).toEqual(['one', 'two'])
    expect(await texts()).toEqual(['one', 'two', 'six'])
    expect(await texts()).toEqual(['one', 'two', 'six'])
  })

  it('passes chunks on as they are: strings, bytes, and what undici would refuse', async () => {
    const strange = { no: 'chunk' }
    const body = new RememberedBody(['text', new Uint8Array([1, 2]), strange])
    const chunks = await readAll(body)
    expect(chunks[0]).toBe('text')
    expect(chunks[1]).toEqual(Buffer.from([1, 2]))
    expect(chunks[2]).toBe(strange)
  })

  describe('of a synchronous iterable', () => {
    it('is read like one of an asynchronous one', async () => {
      for (const source of [['a', 'b'], new Set(['a', 'b']), ['a', 'b'].values()]) {
        const body = new RememberedBody(source)
        expect(await readAll(body)).toEqual(['a', 'b'])
        expect(await readAll(body)).toEqual(['a', 'b'])
      }
    })

    it('tells a generator once that nobody reads it any more', async () => {
      const finished = vi.fn()
      function* source(): Generator<string> {
        try {
          yield 'a'
          yield 'b'
        } finally {
          finished()
        }
      }
      const body = new RememberedBody(source())
      await read(start(body), 1)
      body.close()
      body.close()
      await turns()
      expect(finished).toHaveBeenCalledTimes(1)
    })
  })

  it('is empty where its source is', async () => {
    const body = new RememberedBody([])
    expect(await readAll(body)).toEqual([])
    expect(await readAll(body)).toEqual([])
    expect(body.repeatable).toBe(true)
  })
})

describe('a remembered body that grows too long', () => {
  it('is remembered up to its limit, and one byte more is too much', async () => {
    const body = new RememberedBody(['12345', '67890', '!'], 10)
    const reader = start(body)
    await read(reader, 2)
    expect(body.repeatable).toBe(true)
    await read(reader, 1)
    expect(body.repeatable).toBe(false)
  })

  it('counts bytes, not letters', async () => {
    const body = new RememberedBody(['éé', 'é'], 5)
    const reader = start(body)
    await read(reader, 1)
    expect(body.repeatable).toBe(true)
    await read(reader, 1)
    expect(body.repeatable).toBe(false)
  })

  it('has a limit of 1 MiB by default', async () => {
    const chunk = new Uint8Array(512 * 1024)
    const body = new RememberedBody([chunk, chunk, new Uint8Array(1)])
    const reader = start(body)
    await read(reader, 2)
    expect(body.repeatable).toBe(true)
    await read(reader, 1)
    expect(body.repeatable).toBe(false)
    expect(MOST_REMEMBERED).toBe(2 * chunk.length)
  })

  it('goes on to its end for the one who reads it', async () => {
    const source = new Source(['123', '456', '789', 'abc'])
    const body = new RememberedBody(source, 5)
    expect(await readAll(body)).toEqual(['123', '456', '789', 'abc'])
    expect(source).toMatchObject({ pulled: 4, finished: 1 })
  })

  it('is not given to another reader, which would begin in its middle', async () => {
    const source = new Source(['123', '456', '789'])
    const body = new RememberedBody(source, 5)
    await read(start(body), 2)
    await expect(start(body).next()).rejects.toThrow('the beginning of the body is gone')
    expect(source.pulled).toBe(2)
  })

  it('is whole for the next reader if the chunk that was one too many had not been handed out yet', async () => {
    const { source, give } = slowSource()
    const body = new RememberedBody(source, 5)
    const first = start(body)
    const chunk = first.next()
    await turns()
    give('123')
    await chunk
    const cutOff = isCutOff(first.next())
    await turns()
    body.cutOff()
    give('456')
    await cutOff
    expect(body.repeatable).toBe(true)
    expect(await read(start(body), 2)).toEqual(['123', '456'])
    expect(body.repeatable).toBe(false)
  })

  it('does not keep what it has handed out', async () => {
    const kept: WeakRef<Buffer>[] = []
    async function* source(): AsyncGenerator<Buffer> {
      for (let count = 0; count < 8; count++) {
        const chunk = Buffer.allocUnsafeSlow(64)
        kept.push(new WeakRef(chunk))
        yield chunk
      }
    }
    const body = new RememberedBody(source(), 64)
    const reader = start(body)
    await read(reader, 6)
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    await vi.waitFor(() => {
      collectGarbage()
      expect(kept.slice(0, 5).filter((chunk) => chunk.deref() !== undefined)).toEqual([])
    })
    expect(await read(reader, 2)).toHaveLength(2)
  })
})

describe('a remembered body whose source fails', () => {
  const failure = new Error('no more')
  async function* failing(): AsyncGenerator<string> {
    yield 'a'
    throw failure
  }

  it('fails its reader with the same error, and cannot be read again', async () => {
    const body = new RememberedBody(failing())
    const reader = start(body)
    await read(reader, 1)
    await expect(reader.next()).rejects.toBe(failure)
    expect(body.repeatable).toBe(false)
  })

  it('fails a later reader with it as well, instead of ending as if it were whole', async () => {
    const body = new RememberedBody(failing())
    await expect(readAll(body)).rejects.toBe(failure)
    await expect(readAll(body)).rejects.toBe(failure)
  })

  it('fails where a synchronous source throws', async () => {
    const source: Iterable<string> = {
      [Symbol.iterator]: () => ({
        next() {
          throw failure
        },
      }),
    }
    const body = new RememberedBody(source)
    await expect(readAll(body)).rejects.toBe(failure)
    expect(body.repeatable).toBe(false)
  })

  it('has nobody fail unheard when it was closed meanwhile', async () => {
    let fail!: (error: Error) => void
    const next = (): Promise<never> => new Promise((_, reject) => (fail = reject))
    const body = new RememberedBody({ [Symbol.asyncIterator]: () => ({ next }) })
    const caught = await catchingUncaught(async () => {
      const reading = start(body)
        .next()
        .catch(() => {})
      body.close()
      fail(failure)
      await reading
      await turns()
    })
    expect(caught).toEqual([])
  })
})

describe('a remembered body that is closed', () => {
  it('tells its source once', async () => {
    const source = new Source(['a', 'b'])
    const body = new RememberedBody(source)
    await read(start(body), 1)
    body.close()
    body.close()
    await turns()
    expect(source).toMatchObject({ pulled: 1, ended: 0, finished: 1 })
  })

  it('tells a source that was never begun', async () => {
    const returned = vi.fn(async () => ({ done: true as const, value: undefined }))
    const next = vi.fn(async () => ({ done: false as const, value: 'a' }))
    const body = new RememberedBody({ [Symbol.asyncIterator]: () => ({ next, return: returned }) })
    body.close()
    expect(returned).toHaveBeenCalledTimes(1)
    expect(next).not.toHaveBeenCalled()
  })

  it('tells nothing to a source that has come to its end, or has failed', async () => {
    const returned = vi.fn(async () => ({ done: true as const, value: undefined }))
    const ended = { next: async () => ({ done: true as const, value: undefined }), return: returned }
    const failed = {
      next: async (): Promise<never> => {
        throw new Error('no more')
      },
      return: returned,
    }
    for (const iterator of [ended, failed]) {
      const body = new RememberedBody({ [Symbol.asyncIterator]: () => iterator })
      await readAll(body).catch(() => {})
      body.close()
    }
    expect(returned).not.toHaveBeenCalled()
  })

  it('cuts off a reader that waits for a chunk, when the chunk comes', async () => {
    const { source, give } = slowSource()
    const body = new RememberedBody(source)
    const cutOff = isCutOff(start(body).next())
    body.close()
    give('a')
    await cutOff
  })

  it('gives nothing to a reader that comes too late', async () => {
    const source = new Source(['a', 'b'])
    const body = new RememberedBody(source)
    body.close()
    expect(await start(body).next()).toEqual({ done: true, value: undefined })
    expect(source.pulled).toBe(0)
  })

  it('minds neither a source that cannot be told, nor one that fails when it is', async () => {
    const throws = (): never => {
      throw new Error('not now')
    }
    const rejects = async (): Promise<never> => throws()
    const caught = await catchingUncaught(async () => {
      for (const returning of [undefined, throws, rejects]) {
        const next = async () => ({ done: false as const, value: 'a' })
        const iterator = returning === undefined ? { next } : { next, return: returning }
        const body = new RememberedBody({ [Symbol.asyncIterator]: () => iterator })
        await read(start(body), 1)
        body.close()
      }
    })
    expect(caught).toEqual([])
  })
})

describe('whatever its readers do', () => {
  it('each of them gets the body from its beginning, and the last one gets all of it', async () => {
    const chunk = fc.string({ minLength: 1, maxLength: 5 })
    const body = fc.array(chunk, { maxLength: 12 })
    // How far each reader gets before the next one begins.
    const readers = fc.array(fc.nat(12), { maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(body, readers, fc.boolean(), async (chunks, stops, isAsync) => {
        const source = new Source(chunks)
        const remembered = new RememberedBody(isAsync ? source : chunks)
        for (const stop of stops) {
          const count = Math.min(stop, chunks.length)
          expect(await read(start(remembered), count)).toEqual(chunks.slice(0, count))
        }
        expect(await readAll(remembered)).toEqual(chunks)
        remembered.close()
        if (isAsync) expect(source).toMatchObject({ pulled: chunks.length, finished: 1 })
      }),
    )
  })

  it('what they get is whole as long as it is said to be repeatable', async () => {
    const chunks = fc.array(fc.string({ minLength: 1, maxLength: 5, unit: 'binary-ascii' }), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(chunks, fc.nat(30), fc.nat(12), async (chunks, limit, stop) => {
        const remembered = new RememberedBody(new Source(chunks), limit)
        const count = Math.min(stop, chunks.length)
        await read(start(remembered), count)
        expect(remembered.repeatable).toBe(chunks.slice(0, count).join('').length <= limit)
        if (remembered.repeatable) expect(await readAll(remembered)).toEqual(chunks)
      }),
    )
  })
})
