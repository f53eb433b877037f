import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import { describe, expect, it } from 'vitest'
import {
  bytes,
  requestHead,
  respond,
  resumeReading,
  stopReading,
  until as untilDone,
  wait,
} from '../support/servers/script-steps.js'
import {
  books,
  get,
  legacyHandler,
  modernHandler,
  quietBooks,
  testPool,
  testScripted,
  testServer,
  turns,
  until,
} from './support.js'

/** More than the kernel's buffers of a loopback connection hold. */
const LARGE = 32 * 1024 * 1024

describe('a response that nobody reads', () => {
  it('stops the server, and does not block others', async () => {
    let written = 0
    const { origin } = await testServer((request, response) => {
      if (request.url !== '/large') {
        response.end('small')
        return
      }
      const source = new Readable({
        read(size) {
          written += size
          this.push(written <= LARGE ? Buffer.alloc(size) : null)
        },
      })
      source.pipe(response)
    })
    const pool = testPool({ maxConnections: 2 })
    const { body } = await pool.dispatcher.request({ origin, path: '/large', method: 'GET' })
    await sleep(50)
    const standstill = written
    expect(standstill).toBeLessThan(LARGE)
    for (let n = 0; n < 5; n++) expect(await get(pool, origin)).toBe('small')
    await sleep(50)
    expect(written).toBe(standstill)
    expect(pool.stats()).toMatchObject({ active: 1, idle: 1 })

    let read = 0
    for await (const chunk of body) read += chunk.length
    expect(read).toBe(LARGE)
    await until(() => pool.stats().active === 0)
    expect(books(pool)).toEqual(quietBooks({ idle: 2, opened: 2, requests: 6 }))
  })

  it('goes on where it was paused, any number of times', async () => {
    const size = 2_000_000
    const { origin } = await testServer((_, response) => void response.end(Buffer.alloc(size, 'x')))
    const pool = testPool()
    let resume!: () => void
    let received = 0
    let paused = false
    const { handler, told } = legacyHandler({
      onHeaders(_, __, resumeResponse) {
        resume = resumeResponse
        // From the very beginning.
        setImmediate(resume)
        return false
      },
      onData(chunk) {
        expect(paused).toBe(false)
        received += chunk.length
        paused = true
        setImmediate(() => {
          paused = false
          resume()
        })
        return false
      },
    })
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    await told.ended
    expect(received).toBe(size)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('may be paused before it has begun', async () => {
    const { origin } = await testServer((_, response) => void response.end('in the end'))
    const pool = testPool()
    let controller!: Dispatcher.DispatchController
    const { handler, told } = modernHandler({
      onRequestStart(given) {
        controller = given
        given.pause()
      },
    })
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    await until(() => told.statusCode === 200)
    await turns(10)
    expect(told.body).toBe('')
    expect(pool.stats()).toMatchObject({ active: 1, pending: 1 })
    controller.resume()
    await told.ended
    expect(told.body).toBe('in the end')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('keeps its connection from others: a request behind it waits', async () => {
    const { origin } = await testServer((_, response) => void response.end(Buffer.alloc(LARGE)))
    const pool = testPool({ maxConnections: 1 })
    const { body } = await pool.dispatcher.request({ origin, path: '/', method: 'GET' })
    const second = pool.dispatcher.request({ origin, path: '/', method: 'HEAD' })
    await sleep(20)
    expect(books(pool)).toMatchObject({ active: 1, waiting: 1, pending: 2 })
    await body.dump({ limit: LARGE + 1 })
    await (await second).body.dump()
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })
})

describe('a request body that the server does not read', () => {
  it('stops the stream, and goes on when the server does', async () => {
    let goOn!: () => void
    const gate = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const { origin } = await testScripted([
      requestHead(),
      stopReading(),
      untilDone(gate),
      resumeReading(),
      bytes(LARGE),
      wait(50),
      respond(),
    ])
    const pool = testPool()
    let produced = 0
    const body = new Readable({
      read(size) {
        produced += size
        this.push(produced <= LARGE ? Buffer.alloc(size) : null)
      },
    })
    const answer = pool.dispatcher.request({ origin, path: '/', method: 'POST', body })
    await sleep(100)
    const standstill = produced
    expect(standstill).toBeLessThan(LARGE)
    await sleep(50)
    expect(produced).toBe(standstill)
    goOn()
    const { statusCode, body: response } = await answer
    await response.dump()
    expect(statusCode).toBe(200)
    expect(produced).toBeGreaterThanOrEqual(LARGE)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })
})
