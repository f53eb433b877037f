import { describe, expect, it } from 'vitest'
import { endingReason, requestEnd } from '../../src/pool/ending.js'
import type { CloseReason } from '../../src/reasons.js'
import { alive, codedError } from '../support/fake-links.js'

const info = (message: string): Error => codedError('UND_ERR_INFO', message)

describe('why a connection ended', () => {
  it.each<[what: string, error: Error | undefined, fin: boolean, asked: CloseReason, unasked: CloseReason]>([
    ['FIN', undefined, true, 'server-fin', 'server-fin'],
    ['RST', codedError('ECONNRESET'), false, 'reset', 'reset'],
    ['a write that was refused', codedError('EPIPE'), false, 'reset', 'reset'],
    ['RST after FIN', codedError('ECONNRESET'), true, 'reset', 'reset'],
    ['keepalive that gave up', codedError('ETIMEDOUT'), false, 'dead', 'dead'],
    // The kernel gives the last ICMP error in place of ETIMEDOUT when its probes or retransmissions have run out.
    ['no way to the host', codedError('EHOSTUNREACH'), false, 'dead', 'dead'],
    ['no way to the network', codedError('ENETUNREACH'), false, 'dead', 'dead'],
    ['a caller that broke off', info('aborted'), false, 'aborted', 'aborted'],
    ['a response that was the last', info('reset'), false, 'server-close', 'server-close'],
    ["the parser's complaint", codedError('HPE_INVALID_CONSTANT'), false, 'error', 'poisoned'],
    ['bytes that nobody asked for', new Error('bytes arrived'), false, 'error', 'poisoned'],
    ['no word at all', undefined, false, 'error', 'server-fin'],
    ['any other error with FIN', codedError('UND_ERR_SOCKET'), true, 'server-fin', 'server-fin'],
  ])('%s: with error %s and FIN %s it is %s under a request, %s without one', (_, error, fin, asked, unasked) => {
    expect(endingReason({ error, fin }, true)).toBe(asked)
    expect(endingReason({ error, fin }, false)).toBe(unasked)
  })
})

const patience = { idle: 2_000, interval: 1_000, probes: 3 }

describe('what ended a request', () => {
  const fin = { error: undefined, fin: true }
  const reset = { error: codedError('ECONNRESET'), fin: false }
  const timedOut = { error: codedError('ETIMEDOUT'), fin: false }

  it.each<[what: string, ending: Parameters<typeof requestEnd>[0], closeReason: CloseReason | undefined, end: string]>([
    ['a FIN', fin, undefined, 'peer'],
    ['an RST', reset, undefined, 'peer'],
    ['an RST after a silence of Ti', { ...reset, signs: alive({ silence: 2_000 }) }, undefined, 'death'],
    ['ETIMEDOUT', timedOut, undefined, 'death'],
    ['ETIMEDOUT on one that was to be closed anyway', timedOut, 'max-requests', 'death'],
    ['the monitor', { error: undefined, fin: false }, 'dead', 'death'],
    ['no word at all', { error: undefined, fin: false }, undefined, 'other'],
    ['the parser', { error: codedError('HPE_INVALID_CONSTANT'), fin: false }, undefined, 'other'],
    ['its caller, before the FIN', fin, 'aborted', 'other'],
    ['the end of the pool, before the RST', reset, 'pool-closed', 'other'],
  ])('%s', (_, ending, closeReason, end) => {
    expect(requestEnd(ending, { closeReason, patience })).toBe(end)
  })
})
