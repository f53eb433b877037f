import { describe, expect, it } from 'vitest'
import { endingReason } from '../../src/pool/ending.js'
import type { CloseReason } from '../../src/reasons.js'
import { codedError } from '../support/fake-links.js'

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
