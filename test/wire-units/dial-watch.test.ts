import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { beforeEach, describe, expect, it } from 'vitest'
import { Addresses } from '../../src/wire/addresses.js'
import { DialWatch } from '../../src/wire/dial-watch.js'
import { ManualClock } from '../support/manual-clock.js'

const A = '10.0.0.1'
const B = '10.0.0.2'

function failure(code: string, address?: string): Error {
  return Object.assign(new Error(code), { code, ...(address !== undefined && { address }) })
}

describe('who watches a socket being opened', () => {
  let addresses: Addresses
  let socket: EventEmitter
  let watch: DialWatch

  beforeEach(() => {
    addresses = new Addresses(new ManualClock())
    socket = new EventEmitter()
    watch = new DialWatch(socket as Socket, addresses)
  })

  const dead = (): string[] => [A, B].filter((address) => addresses.isDead(address))
  const attempt = (address: string): unknown => socket.emit('connectionAttempt', address, 80, 4)

  it.each([
    ['ETIMEDOUT', [A]],
    ['EHOSTUNREACH', [A]],
    ['EHOSTDOWN', [A]],
    ['ENETUNREACH', [A]],
    ['ECONNREFUSED', []],
    ['ECONNRESET', []],
    ['EADDRNOTAVAIL', []],
    ['ENETDOWN', []],
    ['ERR_IP_BLOCKED', []],
  ])('takes %s as the death of %j', (code, expected) => {
    attempt(A)
    socket.emit('connectionAttemptFailed', A, 80, 4, failure(code, A))
    expect(dead()).toEqual(expected)
  })

  it.each([
    ['ETIMEDOUT', [A]],
    ['EHOSTUNREACH', [A]],
    ['ECONNREFUSED', []],
  ])('takes the error %s, of an address, likewise: %j', (code, expected) => {
    watch.end(failure(code, A))
    expect(dead()).toEqual(expected)
  })

  it('knows of an address that took too long, and goes on to the next', () => {
    attempt(A)
    socket.emit('connectionAttemptTimeout', A, 80, 4)
    attempt(B)
    expect(dead()).toEqual([A])
    watch.end(null)
    expect(dead()).toEqual([A])
  })

  it.each(['UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT'])(
    'takes the end of all time, %s, as the death of the last',
    (code) => {
      attempt(A)
      attempt(B)
      watch.end(failure(code))
      expect(dead()).toEqual([B])
    },
  )

  it('blames nobody for a name that is not found in time', () => {
    watch.end(failure('UND_ERR_CONNECT_TIMEOUT'))
    expect(dead()).toEqual([])
  })

  it('blames nobody for an attempt that was given up', () => {
    attempt(A)
    watch.end(failure('ERR_KEEPWISE_CLOSED'))
    expect(dead()).toEqual([])
  })

  it('reads nothing into several failures in one: each was told', () => {
    attempt(A)
    socket.emit('connectionAttemptFailed', A, 80, 4, failure('ETIMEDOUT', A))
    attempt(B)
    socket.emit('connectionAttemptFailed', B, 80, 4, failure('ECONNREFUSED', B))
    const all = new AggregateError([failure('ETIMEDOUT', A), failure('ECONNREFUSED', B)])
    watch.end(Object.assign(all, { code: 'ETIMEDOUT' }))
    expect(dead()).toEqual([A])
  })

  it('forgets a death when the address answers', () => {
    addresses.died(A)
    addresses.died(B)
    attempt(B)
    watch.end(null)
    expect(dead()).toEqual([A])
  })

  it('knows nothing of a path, which is no address', () => {
    attempt('/run/server.sock')
    watch.end(failure('ETIMEDOUT', '/run/server.sock'))
    expect(addresses.isDead('/run/server.sock')).toBe(false)
  })

  it('leaves the socket as it was', () => {
    expect(socket.eventNames()).toHaveLength(3)
    watch.end(null)
    expect(socket.eventNames()).toEqual([])
    attempt(A)
    socket.emit('connectionAttemptTimeout', A, 80, 4)
    expect(dead()).toEqual([])
  })
})
