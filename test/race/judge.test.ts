import { describe, expect, it } from 'vitest'
import { judge } from '../../bench/race/judge.js'

const DELAY = 20
const PORT = 4000
/** The server closed the one idle connection at this moment; word of it is at the client at 1020. */
const CLOSED = 1000
const ends = [{ port: PORT, at: CLOSED }]

interface Told {
  at: number
  took?: number
  port?: number
  error?: string
}

const sent = ({ at, took = 40, port = PORT, error }: Told) => ({
  id: `at ${at}`,
  at,
  took,
  port,
  ...(error !== undefined && { error }),
})
const served = (at: number, { nth, opened }: { nth: number; opened: number }) => ({
  id: `at ${at}`,
  port: PORT,
  nth,
  opened,
})

describe('what became of the requests of a race', () => {
  it('reused: answered on a connection that had served before', () => {
    const result = judge([sent({ at: 970 })], { requests: [served(970, { nth: 2, opened: 0 })], ends }, DELAY)
    expect(result).toMatchObject({ aimed: 1, raced: 0, reused: 1, fresh: 0, healed: 0, failed: 0, reuse: 1 })
  })

  it('fresh: answered on a new connection, opened once word of the close was there', () => {
    const requests = [served(1030, { nth: 1, opened: 1050 })]
    expect(judge([sent({ at: 1030 })], { requests, ends }, DELAY)).toMatchObject({
      raced: 0,
      fresh: 1,
      healed: 0,
      reuse: 0,
    })
  })

  it('healed: left before word of the close could be there, and answered on a connection opened after it', () => {
    const requests = [served(1010, { nth: 1, opened: 1081 })]
    const result = judge([sent({ at: 1010, took: 95 })], { requests, ends }, DELAY)
    expect(result).toMatchObject({ raced: 1, fresh: 0, healed: 1, failed: 0, reuse: 0 })
    expect(result.healing).toEqual({ p50: 95, p99: 95, max: 95 })
  })

  it('fresh, not healed: the client had closed its connection by itself, or not used it, while the server closed its end', () => {
    for (const at of [985, 1010]) {
      const requests = [served(at, { nth: 1, opened: at + 60 })]
      expect(judge([sent({ at })], { requests, ends }, DELAY)).toMatchObject({ raced: 0, fresh: 1, healed: 0 })
    }
  })

  it('failed: in the race, or far from any close of this connection, or at the edge where nobody can say', () => {
    const other = PORT + 1
    const records = [
      sent({ at: 1010, error: 'ECONNRESET' }),
      sent({ at: 1300, error: 'ETIMEDOUT' }),
      sent({ at: 1011, error: 'ECONNRESET', port: other }),
      sent({ at: 1020, error: 'ECONNRESET' }),
    ]
    expect(judge(records, { requests: [], ends }, DELAY)).toMatchObject({
      aimed: 4,
      failed: 4,
      raced: 1,
      strays: 2,
      reuse: 0,
      errors: { ECONNRESET: 3, ETIMEDOUT: 1 },
    })
  })

  it('counts a request as processed twice whatever its client was told', () => {
    const twice = (at: number) => [served(at, { nth: 2, opened: 0 }), served(at, { nth: 1, opened: 1041 })]
    const records = [sent({ at: 1010 }), sent({ at: 1012, error: 'ECONNRESET' })]
    expect(judge(records, { requests: [...twice(1010), ...twice(1012)], ends }, DELAY).twice).toBe(2)
  })

  it('does not believe a client that has an answer which the server never gave', () => {
    expect(() => judge([sent({ at: 970 })], { requests: [], ends }, DELAY)).toThrow('never processed')
  })

  it('gives the percentiles of what the answered requests took', () => {
    const times = Array.from({ length: 100 }, (_, index) => index + 1)
    const records = times.map((took) => sent({ at: took, took }))
    const requests = times.map((at) => served(at, { nth: 2, opened: 0 }))
    expect(judge(records, { requests, ends: [] }, DELAY).latency).toEqual({ p50: 51, p99: 100, max: 100 })
  })
})
