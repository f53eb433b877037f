/** A pool in one line. */
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createPool, HttpAgent } from '../../src/index.js'
import { lineOf } from '../../src/telemetry/line.js'
import type { PoolStats } from '../../src/telemetry/stats.js'

const quiet = createPool().stats()
const busy: PoolStats = {
  ...quiet,
  active: 3,
  idle: 5,
  dialing: 1,
  waiting: 2,
  requests: 120,
  reused: 111,
  opened: 9,
  closed: { ...quiet.closed, 'server-fin': 1, 'advertised-timeout': 2, reset: 1 },
}

describe('the line of a pool', () => {
  it('of a new one is short', () => {
    expect(lineOf('default', quiet, 'open')).toBe(
      'Pool(default): 0 active, 0 idle, 0 dialing, 0 waiting; 0 requests; 0 opened',
    )
  })

  it('has what is there now, what was done, and why connections were closed, the most frequent reason first', () => {
    expect(lineOf('api', busy, 'open')).toBe(
      'Pool(api): 3 active, 5 idle, 1 dialing, 2 waiting; 120 requests, 93 % reused; 9 opened; ' +
        'closed: 2 advertised-timeout, 1 server-fin, 1 reset',
    )
  })

  it('has what should not be only where it is', () => {
    expect(lineOf('api', { ...busy, suspect: 4, replayed: 2, dialFailures: 6, closed: quiet.closed }, 'open')).toBe(
      'Pool(api): 3 active, 5 idle (4 suspect), 1 dialing, 2 waiting; 120 requests, 93 % reused, 2 replayed; ' +
        '9 opened, 6 failed to open',
    )
  })

  it('says that the pool is being closed, or closed', () => {
    expect(lineOf('api', quiet, 'closing')).toMatch(/^Pool\(api\): closing; 0 active,/)
    expect(lineOf('api', quiet, 'closed')).toMatch(/^Pool\(api\): closed; 0 active,/)
  })

  it('is what console.log prints, and a template', async () => {
    const pool = createPool({ name: 'printed' })
    expect(inspect(pool)).toBe(`${pool}`)
    expect(inspect({ pool })).toBe(`{\n  pool: ${pool}\n}`)
    expect(`${pool}`).toBe('Pool(printed): 0 active, 0 idle, 0 dialing, 0 waiting; 0 requests; 0 opened')
    await pool.close()
    expect(`${pool}`).toMatch(/^Pool\(printed\): closed;/)
  })

  it('is in what console.log prints of a drop-in agent', () => {
    expect(inspect(new HttpAgent({ name: 'mine' }))).toContain('pool: Pool(mine): 0 active')
  })
})
