import { describe, expect, it, vi } from 'vitest'
import { HeldResponse } from '../../src/dispatcher/held-response.js'

const KEPT = 64 * 1024

/** A held 408, the handler it is for, and the sender of its body. */
function held({ onHeaders = () => true, onData = () => true }: Answers = {}) {
  const told: string[] = []
  let resume: (() => void) | undefined
  const sender = vi.fn()
  const handler = {
    onHeaders(statusCode: number, headers: Buffer[], resumeIt: () => void, statusText: string): boolean {
      told.push(`headers ${statusCode} ${headers} ${statusText}`)
      resume = resumeIt
      return onHeaders(resumeIt)
    },
    onData(chunk: Buffer): boolean {
      told.push(chunk.length < 100 ? `data ${chunk}` : `data of ${chunk.length}`)
      return onData(resume!, chunk)
    },
    onComplete(trailers: Buffer[]): void {
      told.push(`complete ${trailers}`)
    },
  }
  const response = new HeldResponse([408, [Buffer.from('name'), Buffer.from('value')], sender, 'Too Late'], handler)
  return {
    response,
    told,
    sender,
    resume: () => resume!(),
    data: (text: string) => response.onData(Buffer.from(text)),
    complete: () => response.onComplete([Buffer.from('t')]),
  }
}

interface Answers {
  onHeaders?: (resume: () => void) => boolean
  onData?: (resume: () => void, chunk: Buffer) => boolean
}

const HEAD = 'headers 408 name,value Too Late'

describe('a held response', () => {
  it('says nothing to the handler before it is let through', () => {
    const { data, complete, told } = held()
    data('a')
    complete()
    expect(told).toEqual([])
  })

  it('comes as it was when it is let through, whole', () => {
    const { response, data, complete, told } = held()
    data('a')
    data('b')
    complete()
    response.letThrough()
    expect(told).toEqual([HEAD, 'data a', 'data b', 'complete t'])
  })

  it('comes in two parts when it is let through in its middle', () => {
    const { response, data, complete, told } = held()
    data('a')
    response.letThrough()
    expect(told).toEqual([HEAD, 'data a'])
    expect(data('b')).toBe(true)
    expect(told).toEqual([HEAD, 'data a', 'data b'])
    complete()
    expect(told).toEqual([HEAD, 'data a', 'data b', 'complete t'])
  })

  it('comes when it has neither body nor end yet', () => {
    const { response, data, complete, told } = held()
    response.letThrough()
    expect(told).toEqual([HEAD])
    data('a')
    complete()
    expect(told).toEqual([HEAD, 'data a', 'complete t'])
  })

  it('waits for a handler that is in no hurry after the headers', () => {
    const { response, data, complete, told, resume } = held({ onHeaders: () => false })
    data('a')
    complete()
    response.letThrough()
    expect(told).toEqual([HEAD])
    resume()
    expect(told).toEqual([HEAD, 'data a', 'complete t'])
  })

  it('waits for a handler that is in no hurry after any chunk, and gives each once', () => {
    const { response, data, complete, told, resume } = held({ onData: () => false })
    for (const text of ['a', 'b']) data(text)
    complete()
    response.letThrough()
    expect(told).toEqual([HEAD, 'data a'])
    resume()
    expect(told).toEqual([HEAD, 'data a', 'data b'])
    resume()
    expect(told).toEqual([HEAD, 'data a', 'data b', 'complete t'])
  })

  it('keeps what comes while the handler pauses, and its end as well', () => {
    const { response, data, complete, told, resume } = held({ onHeaders: () => false })
    response.letThrough()
    expect(data('a')).toBe(true)
    complete()
    expect(told).toEqual([HEAD])
    resume()
    expect(told).toEqual([HEAD, 'data a', 'complete t'])
  })

  it('hands the pause of the handler on to the sender once it is let through, and the end of it', () => {
    let goesOn = false
    const { response, data, sender, resume, told } = held({ onData: () => goesOn })
    response.letThrough()
    expect(data('a')).toBe(false)
    expect(sender).not.toHaveBeenCalled()
    goesOn = true
    resume()
    expect(sender).toHaveBeenCalledTimes(1)
    expect(data('b')).toBe(true)
    expect(told).toEqual([HEAD, 'data a', 'data b'])
  })

  it('asks the sender to pause at 64 KiB, and not a byte before', () => {
    const { response } = held()
    expect(response.onData(Buffer.alloc(KEPT - 1))).toBe(true)
    expect(response.onData(Buffer.alloc(1))).toBe(false)
  })

  it('lets the sender go on, once, when it is let through', () => {
    const { response, sender, told, complete } = held()
    response.onData(Buffer.alloc(KEPT))
    response.letThrough()
    expect(sender).toHaveBeenCalledTimes(1)
    expect(response.onData(Buffer.alloc(KEPT))).toBe(true)
    complete()
    expect(sender).toHaveBeenCalledTimes(1)
    expect(told).toEqual([HEAD, `data of ${KEPT}`, `data of ${KEPT}`, 'complete t'])
  })

  it('lets the sender go on only when the handler does', () => {
    const { response, sender, resume } = held({ onHeaders: () => false })
    response.onData(Buffer.alloc(KEPT))
    response.letThrough()
    expect(sender).not.toHaveBeenCalled()
    resume()
    expect(sender).toHaveBeenCalledTimes(1)
  })

  it('leaves a sender alone that was never asked to pause', () => {
    const { response, data, sender } = held()
    data('a')
    response.letThrough()
    data('b')
    expect(sender).not.toHaveBeenCalled()
  })

  it('gives each chunk once to a handler that goes on from within its own call', () => {
    const { response, data, complete, told } = held({
      onData: (resume) => {
        queueMicrotask(resume)
        return false
      },
    })
    for (const text of ['a', 'b', 'c']) data(text)
    complete()
    response.letThrough()
    return vi.waitFor(() => expect(told).toEqual([HEAD, 'data a', 'data b', 'data c', 'complete t']))
  })

  it.each(['onHeaders', 'onData'] as const)('lets what the handler throws in %s through, and stops there', (method) => {
    const failure = new Error('not this')
    const { response, data, complete, told } = held({
      [method]: () => {
        throw failure
      },
    })
    for (const text of ['a', 'b']) data(text)
    complete()
    expect(() => response.letThrough()).toThrow(failure)
    expect(told).toEqual(method === 'onHeaders' ? [HEAD] : [HEAD, 'data a'])
  })
})
