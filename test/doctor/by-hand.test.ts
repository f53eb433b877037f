/** Measurements with connections and a kernel made up for them: what no server does on demand. */
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { Asked, Ending, MeasuredConnection } from '../../src/doctor/connection.js'
import { measureRequests } from '../../src/doctor/requests.js'
import { measureTcpKeepAlive } from '../../src/doctor/tcp-keepalive.js'
import type { Native } from '../../src/liveness/native.js'
import { presets } from '../../src/liveness/presets.js'
import { TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL } from '../../src/liveness/socket-options.js'
import { RunningClock } from './running-clock.js'

const answer: Asked = {
  kind: 'answer',
  took: 1,
  response: { status: 200, version: '1.1', rawHeaders: [], bodyBytes: 0, persists: true },
}
const question = { method: 'HEAD', path: '/', headers: [] } as const
const { signal } = new AbortController()

describe('a server that closes without a word', () => {
  /** Connections that are closed after so many answers. */
  function counted(...answers: number[]) {
    const open = async (): Promise<MeasuredConnection> => {
      let left = answers.shift() ?? 0
      const ask = async (): Promise<Asked> => (left-- > 0 ? answer : { kind: 'ended', how: 'fin' })
      return { ask, persists: true, close: () => {} } as unknown as MeasuredConnection
    }
    return measureRequests({ open, question, requests: 10, timeout: 1_000, progress: () => {}, signal })
  }

  it('is believed when it does so again, and the smaller number is taken', async () => {
    expect(await counted(4, 4)).toMatchObject({ closedAfter: 4, announced: false })
    expect(await counted(4, 3)).toMatchObject({ closedAfter: 3, announced: false })
    expect(await counted(3, 4)).toMatchObject({ closedAfter: 3, announced: false })
  })

  it('is not believed when it does not, or later: a connection was lost', async () => {
    expect(await counted(2, 10)).toMatchObject({ tried: 10, closedAfter: null, announced: null })
    expect(await counted(2, 7)).toMatchObject({ closedAfter: 7 })
  })
})

describe('a probe', () => {
  /** A kernel that hears something of the peer so many milliseconds after the probe; undefined: never. */
  async function probed(answeredAfter: number | undefined, ending?: Ending) {
    const clock = new RunningClock()
    const startedAt = clock.now()
    let askedAt = Infinity
    const values = new Map<number, number>()
    const native = {
      setInt(_fd: number, _level: number, name: number, value: number) {
        if (name === TCP_KEEPIDLE && value === 1) askedAt = clock.now()
        values.set(name, value)
        return 0
      },
      getInt: (_fd: number, _level: number, name: number) => values.get(name) ?? 1,
      getBytes(_fd: number, _level: number, _name: number, target: Buffer) {
        const heardAt =
          clock.now() >= askedAt + (answeredAfter ?? Infinity) ? askedAt + (answeredAfter ?? 0) : startedAt
        target.fill(0)
        target.writeUInt32LE(clock.now() - startedAt, 52)
        target.writeUInt32LE(clock.now() - heardAt, 56)
        return target.length
      },
    } as unknown as Native
    const socket = { remoteFamily: 'IPv4', setKeepAlive: () => socket } as unknown as Socket
    const connection = {
      socket,
      fd: 7,
      ending,
      ended: ending === undefined ? new Promise(() => {}) : Promise.resolve(ending),
      close: () => {},
    } as unknown as MeasuredConnection
    values.set(TCP_KEEPIDLE, 30)
    values.set(TCP_KEEPINTVL, 5)
    values.set(TCP_KEEPCNT, 3)
    const facts = await clock.until(
      measureTcpKeepAlive({ connection, liveness: presets.cloud, native, why: undefined, clock, signal }),
    )
    return { ...facts, took: clock.now() - startedAt }
  }

  it.each([0, 40, 1_000, 2_900])('that is answered after %d ms is answered', async (delay) => {
    const { answered, why, took } = await probed(delay)
    expect([answered, why]).toEqual([true, null])
    expect(took).toBeLessThan(1_150 + delay + 60)
  })

  it('is waited for 3.5 s', async () => {
    const { answered, why, took } = await probed(undefined)
    expect([answered, why]).toEqual([false, null])
    expect(took).toBeGreaterThan(4_600)
    expect(took).toBeLessThan(4_800)
  })

  it('is not sent where the connection was closed before', async () => {
    const { answered, why } = await probed(0, { how: 'fin', at: 0 })
    expect([answered, why]).toEqual([null, 'the connection was closed within a second'])
  })
})
