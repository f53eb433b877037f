import { describe, expect, it } from 'vitest'
import { fateOf, hadToFail } from './hindsight.js'
import type { Outcome } from './load.js'
import type { TracedPacket } from './wire.js'

const CLIENT = 50_000
const SERVER = 80

const packet = (more: Partial<TracedPacket>): TracedPacket => ({
  ...{
    at: 0,
    lost: false,
    length: 40,
    flags: 'A',
    sequence: 0,
    acknowledgement: 0,
    payload: 0,
    window: 500,
    source: '',
    target: '',
  },
  ...{ sourcePort: CLIENT, targetPort: SERVER, ...more },
})
const back = (more: Partial<TracedPacket>) => packet({ sourcePort: SERVER, targetPort: CLIENT, ...more })

/** Two requests of 100 bytes; the second one ends at sequence number 50, beyond the wrap. */
const asked = [
  packet({ flags: 'PA', sequence: 0xffff_ffff - 149, payload: 100 }),
  packet({ flags: 'PA', sequence: 0xffff_ffff - 49, payload: 100 }),
]
const ports = { localPort: CLIENT, remotePort: SERVER }
const fate = (...toClient: TracedPacket[]) => fateOf({ toServer: asked, toClient }, ports)

describe('hindsight', () => {
  it('calls acknowledged what an ACK covers to its end, across the wrap of the sequence numbers', () => {
    expect(fate(back({ acknowledgement: 0xffff_ffff - 49 })).acknowledged).toBe(false)
    expect(fate(back({ acknowledgement: 49 })).acknowledged).toBe(false)
    expect(fate(back({ acknowledgement: 50 })).acknowledged).toBe(true)
  })

  it('does not count the acknowledgement of an RST, which no kernel takes note of', () => {
    expect(fate(back({ flags: 'RA', acknowledgement: 50 }))).toEqual({ acknowledged: false, fin: false, reset: true })
  })

  it('sees FIN and RST of this connection, not of another one', () => {
    expect(fate(back({ flags: 'FA' }), back({ flags: 'R' }))).toEqual({ acknowledged: false, fin: true, reset: true })
    const others = [back({ flags: 'FA', targetPort: 1 }), back({ flags: 'R', sourcePort: 1 })]
    expect(fate(...others)).toEqual({ acknowledged: false, fin: false, reset: false })
  })

  it('lets POSTs fail that were acknowledged or met RST alone, and nothing else that died on a reused connection', () => {
    const error = { code: 'ECONNRESET', message: '', verdict: 'unknown', refusal: 'not-proven', connection: ports }
    const outcome = { id: '1', method: 'POST', url: '', at: 0, took: 0, error } as Outcome
    const mustFail = (of: Outcome, ...toClient: TracedPacket[]) => hadToFail({ toServer: asked, toClient }, of)
    expect(mustFail(outcome, back({ acknowledgement: 50 }))).toBe(true)
    expect(mustFail(outcome, back({ flags: 'R' }))).toBe(true)
    expect(mustFail(outcome, back({ flags: 'FA' }), back({ flags: 'R' }))).toBe(false)
    expect(mustFail({ ...outcome, method: 'GET' }, back({ flags: 'R' }))).toBe(false)
    expect(mustFail({ ...outcome, error: { ...error, verdict: 'refused' } } as Outcome, back({ flags: 'R' }))).toBe(
      false,
    )
  })
})
