import { describe, expect, it } from 'vitest'
import type { Connection, ConnectionState } from '../../src/pool/connection.js'
import { healthy } from '../support/fake-links.js'
import { PoolRig } from '../support/pool-rig.js'

async function connectionIn(state: ConnectionState): Promise<Connection> {
  const [connection] = await new PoolRig().connect(1)
  if (state === 'settling') connection!.move('idle')
  if (state !== 'active') connection!.move(state)
  return connection!
}

describe('a connection', () => {
  const legal = {
    active: ['idle', 'settling', 'suspect', 'watched', 'closed'],
    idle: ['active', 'settling', 'suspect', 'watched', 'closed'],
    settling: ['active', 'idle', 'suspect', 'watched', 'closed'],
    suspect: ['active', 'idle', 'watched', 'closed'],
    watched: ['closed'],
    closed: [],
  } as const satisfies Record<ConnectionState, readonly ConnectionState[]>
  const states = Object.keys(legal) as ConnectionState[]

  it.each(states.flatMap((from) => states.map((to) => [from, to] as const)))(
    'that is %s can become %s if the table says so',
    async (from, to) => {
      const connection = await connectionIn(from)
      if ((legal[from] as readonly ConnectionState[]).includes(to)) {
        connection.move(to)
        expect(connection.state).toBe(to)
      } else {
        expect(() => connection.move(to)).toThrow(`connection 1: ${from} cannot become ${to}`)
        expect(connection.state).toBe(from)
      }
    },
  )

  it('gives its first reason to retire', async () => {
    const connection = await connectionIn('active')
    connection.retire('server-close')
    connection.retire('aborted')
    expect(connection.closeReason).toBe('server-close')
  })

  it('shows itself as plain data', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1, 'example.com')
    connection!.measured(healthy({ rtt: 12.5, rttVariance: 3 }))
    rig.clock.advance(250)
    expect(connection!.snapshot(rig.clock.now())).toEqual({
      id: 1,
      origin: 'http://example.com',
      localPort: 50_000,
      remoteAddress: '127.0.0.1',
      remotePort: 80,
      age: 250,
      idle: 0,
      requests: 1,
      advertisedTimeout: undefined,
      remaining: undefined,
      rtt: 12.5,
      liveness: connection!.link.liveness,
    })
    rig.release(connection!, 'timeout=5, max=9')
    rig.clock.advance(40)
    expect(connection!.snapshot(rig.clock.now())).toMatchObject({
      age: 290,
      idle: 40,
      advertisedTimeout: 5_000,
      remaining: 9,
    })
  })
})
