/** The judge of access logs is judged: it must find what the tests of real servers hope it never finds. */
import { expect, it } from 'vitest'
import type { ApacheLogEntry } from '../support/servers/apache.js'
import { allowanceInHeaders, fixedAllowance, longestReusedIdle, overuse, requestsPerConnection } from './allowance.js'

/** The n-th request of a connection, begun at a time and answered at once. */
const entry = (connection: string, nth: number, at: number, keepAliveHeader?: string): ApacheLogEntry => ({
  ...{ connection, clientPort: 1, nth, method: 'GET', path: '/', status: 200, startedAt: at, finishedAt: at },
  ...{ connectionHeader: keepAliveHeader === undefined ? 'close' : 'Keep-Alive', keepAliveHeader },
})

it('finds requests that came later than the header said, and those beyond max or close', () => {
  const good = [
    entry('a', 1, 0, 'timeout=1, max=2'),
    entry('a', 2, 999, 'timeout=1, max=1'),
    entry('a', 3, 1000),
    entry('b', 1, 5000, 'timeout=1, max=1'),
  ]
  expect(overuse(good, allowanceInHeaders)).toEqual([])
  expect(overuse([...good, entry('b', 2, 6001, 'timeout=1, max=0')], allowanceInHeaders)).toEqual([
    'request 2 of connection b came after 1001.0 ms, allowed were 1000',
  ])
  expect(overuse([...good, entry('a', 4, 1000)], allowanceInHeaders)).toEqual([
    'request 4 of connection a came though no more were allowed',
  ])
  const beyondMax = [entry('c', 1, 0, 'timeout=1, max=0'), entry('c', 2, 1, 'timeout=1, max=0')]
  expect(overuse(beyondMax, allowanceInHeaders)).toEqual(['request 2 of connection c came though no more were allowed'])
})

it('does not take a kept connection without hints for one that may be used at will', () => {
  const silent = { ...entry('a', 1, 0), connectionHeader: 'Keep-Alive' }
  expect(() => overuse([silent, entry('a', 2, 1)], allowanceInHeaders)).toThrow('hints are "undefined"')
})

it('finds requests beyond fixed limits, and in whatever order the log has them', () => {
  const allowance = fixedAllowance({ idle: 100, requests: 2 })
  const log = [entry('a', 2, 100, ''), entry('a', 1, 0, '')]
  expect(overuse(log, allowance)).toEqual([])
  expect(overuse([entry('a', 3, 250, ''), ...log], allowance)).toEqual([
    'request 3 of connection a came though no more were allowed',
    'request 3 of connection a came after 150.0 ms, allowed were 100',
  ])
  expect(longestReusedIdle(log)).toBe(100)
  expect(requestsPerConnection([...log, entry('b', 1, 0, '')])).toEqual([2, 1])
})
