import { describe, expect, it } from 'vitest'
import {
  forever,
  request,
  respond,
  response,
  send as sendBytes,
  until as untilDone,
} from '../support/servers/script-steps.js'
import { inOrder } from '../support/servers/scripted.js'
import { blockLoop, books, get, quietBooks, send, testPool, testScripted, turns, until } from './support.js'

/** A complete response that nobody has asked for. Who takes it for an answer is told so. */
const forged = response({ body: 'FORGED' })

/** Answers as it should. */
const honest = [forever(request(), respond({ body: 'honest' }))]

describe('bytes right behind a response', () => {
  it.each([
    ['a whole response', forged],
    ['part of one', forged.slice(0, 20)],
    ['nonsense', 'nonsense'],
  ])('%s: the connection is closed as poisoned, and the next request does not see them', async (_, extra) => {
    const { origin } = await testScripted(inOrder([request(), sendBytes(response() + extra)], honest))
    const pool = testPool()
    expect(await get(pool, origin)).toBe('ok')
    expect(await get(pool, origin)).toBe('honest')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 2, requests: 2, closed: { poisoned: 1 } }))
  })

  it.each([
    ['a whole response', forged],
    ['part of one', forged.slice(0, 20)],
    ['nonsense', 'nonsense'],
  ])('%s: those who wait in line do not see them', async (_, extra) => {
    const { origin, connections } = await testScripted(inOrder([request(), sendBytes(response() + extra)], honest))
    const pool = testPool({ maxConnections: 1 })
    const bodies = await Promise.all([get(pool, origin, '/a'), get(pool, origin, '/b'), get(pool, origin, '/c')])
    expect(bodies).toEqual(['ok', 'honest', 'honest'])
    expect(connections.map(({ requests }) => requests.map(({ target }) => target))).toEqual([['/a'], ['/b', '/c']])
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 2, requests: 3, closed: { poisoned: 1 } }))
  })

  it('the body of a response to HEAD: the connection is closed as poisoned', async () => {
    const { origin } = await testScripted(inOrder([request(), sendBytes(response({ body: 'a body' }))], honest))
    const pool = testPool()
    expect(await send(pool, origin, { method: 'HEAD' })).toMatchObject({ statusCode: 200, body: '' })
    expect(await get(pool, origin)).toBe('honest')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 2, requests: 2, closed: { poisoned: 1 } }))
  })

  it('the body of a response to HEAD that looks like a response is not taken for one', async () => {
    const { origin } = await testScripted(inOrder([request(), sendBytes(response({ body: forged }))], honest))
    const pool = testPool({ maxConnections: 1 })
    const [head, next] = await Promise.all([send(pool, origin, { method: 'HEAD' }), get(pool, origin)])
    expect(head).toMatchObject({ statusCode: 200, body: '' })
    expect(next).toBe('honest')
  })
})

describe('bytes on an idle connection', () => {
  it.each([
    ['a whole response', forged],
    ['nonsense', 'nonsense'],
    [
      'a 408, as servers send when they give up waiting',
      response({ status: 408, reason: 'Request Timeout', body: '' }),
    ],
  ])('%s: close it as poisoned, when they come', async (_, extra) => {
    let goOn!: () => void
    const gate = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const { origin } = await testScripted(inOrder([request(), respond(), untilDone(gate), sendBytes(extra)], honest))
    const pool = testPool()
    await get(pool, origin)
    await until(() => pool.stats().idle === 1)
    goOn()
    await until(() => pool.stats().idle === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { poisoned: 1 } }))
    expect(await get(pool, origin)).toBe('honest')
  })

  it('that was never used close it as well', async () => {
    let goOn!: () => void
    const gate = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const { origin } = await testScripted(inOrder([untilDone(gate), sendBytes(forged)], honest))
    const pool = testPool()
    await pool.warm(origin)
    goOn()
    await until(() => pool.stats().idle === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, closed: { poisoned: 1 } }))
    expect(await get(pool, origin)).toBe('honest')
  })

  it('that nobody has read yet are found before the next request is written', async () => {
    let goOn!: () => void
    const gate = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const { origin } = await testScripted(inOrder([request(), respond(), untilDone(gate), sendBytes(forged)], honest))
    const pool = testPool()
    await get(pool, origin)
    await until(() => pool.stats().idle === 1)
    // The server is in this process: its bytes leave in a turn of the same event loop, and ours are not read before the
    // request is dispatched in the same turn.
    goOn()
    await Promise.resolve()
    await turns(1)
    blockLoop(20)
    expect(await get(pool, origin)).toBe('honest')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 2, requests: 2, closed: { poisoned: 1 } }))
  })
})
