/** Ti, Td and Nm as they stand on the sockets, asked of the kernel and not of the code that set them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type AppliedLiveness, createPool, livenessPresets, type PoolOptions } from '../../src/index.js'
import { presets } from '../../src/liveness/presets.js'
import { retransmitCap, systemRetries } from '../../src/liveness/retransmission.js'
import { nodeSetsTriple } from '../../src/liveness/settings.js'
import { systemLiveness } from '../../src/liveness/system.js'
import { poolWithoutKernel, sendOk, trustingTests } from '../servers/pools.js'
import { describeWith, itWith } from '../support/requirements.js'
import { withServer } from '../support/servers/node.js'
import { onlySocket } from './kernel-socket.js'

const triple = { idle: 7_000, interval: 3_000, probes: 4 }

/** As it is reported where nothing is set. */
const nothing = {
  enabled: false,
  idle: undefined,
  interval: undefined,
  probes: undefined,
  retransmitInterval: undefined,
  userTimeout: undefined,
}

describeWith(['linux', 'koffi'], 'TCP keepalive on a socket', () => {
  for (const tls of [false, true]) {
    itWith(
      tls ? 'openssl' : [],
      `is as configured before the first request, after it, and after 100 more (${tls ? 'TLS' : 'plain'})`,
      async () => {
        await withServer({ tls }, async ({ origin, connections }) => {
          await using pool = createPool({ ...trustingTests(), liveness: triple })
          await pool.warm(origin)
          const socket = onlySocket(pool, origin)
          expect(socket.keepAlive).toEqual({ enabled: true, ...triple })
          await sendOk(pool, origin)
          expect(socket.keepAlive).toEqual({ enabled: true, ...triple })
          expect(socket.keepAliveTimer).toSatisfy(runsWithin(triple.idle))
          for (let n = 0; n < 100; n++) await sendOk(pool, origin)
          expect(socket.keepAlive).toEqual({ enabled: true, ...triple })
          expect(socket.keepAliveTimer).toSatisfy(runsWithin(triple.idle))
          expect(connections.map(({ requests }) => requests.length)).toEqual([101])
        })
      },
    )
  }

  it.each(Object.entries(livenessPresets))('is what the preset %s says', async (name, preset) => {
    await withServer({}, async ({ origin }) => {
      await using pool = createPool({ liveness: name as keyof typeof livenessPresets })
      await sendOk(pool, origin)
      expect(onlySocket(pool, origin).keepAlive).toEqual({ enabled: true, ...preset })
    })
  })

  it('is the preset cloud when nothing is configured', async () => {
    await withServer({}, async ({ origin }) => {
      await using pool = createPool()
      await sendOk(pool, origin)
      expect(onlySocket(pool, origin).keepAlive).toEqual({ enabled: true, ...livenessPresets.cloud })
    })
  })

  it.each([
    { idle: 1_000, interval: 1_000, probes: 1 },
    { idle: 32_767_000, interval: 32_767_000, probes: 127 },
  ])('takes the smallest and the largest values, $idle', async (extreme) => {
    await withServer({}, async ({ origin }) => {
      await using pool = createPool({ liveness: extreme })
      await sendOk(pool, origin)
      expect(onlySocket(pool, origin).keepAlive).toEqual({ enabled: true, ...extreme })
    })
  })

  it('is off with liveness: false, and no timer runs', async () => {
    await withServer({}, async ({ origin }) => {
      await using pool = createPool({ liveness: false })
      await sendOk(pool, origin)
      await sendOk(pool, origin)
      const socket = onlySocket(pool, origin)
      expect(socket.keepAlive.enabled).toBe(false)
      expect(socket.keepAliveTimer).toBeUndefined()
      const { asked, applied, deadAfter } = pool.explain(origin).liveness
      expect({ asked, applied, deadAfter }).toEqual({
        asked: 'off',
        applied: { ...nothing, source: 'off' },
        deadAfter: undefined,
      })
    })
  })

  it("is on with the system's own values with liveness: 'system'", async () => {
    const { source, ...values } = systemLiveness()
    expect(source).toBe('sysctl')
    await withServer({}, async ({ origin }) => {
      await using pool = createPool({ liveness: 'system' })
      await sendOk(pool, origin)
      expect(onlySocket(pool, origin).keepAlive).toEqual({ enabled: true, ...values })
    })
  })

  it('is reported as it stands, in events and in explain', async () => {
    await withServer({}, async ({ origin }) => {
      await using pool = createPool({ liveness: triple })
      const reported: AppliedLiveness[] = []
      pool.on('open', ({ connection }) => reported.push(connection.liveness))
      pool.on('idle', ({ connection }) => reported.push(connection.liveness))
      pool.on('close', ({ connection }) => reported.push(connection.liveness))
      await sendOk(pool, origin)
      const { asked, applied, system, deadAfter } = pool.explain(origin).liveness
      await pool.close()
      const { retransmitInterval } = reported[0]!
      const truth = { enabled: true, ...triple, retransmitInterval, userTimeout: 0, source: 'kernel' }
      expect(reported).toEqual([truth, truth, truth])
      expect(applied).toEqual(truth)
      expect(asked).toEqual(triple)
      expect(deadAfter).toBe(7_000 + 3_000 * 4)
      expect(system).toEqual(systemLiveness())
    })
  })
})

describeWith(['linux', 'koffi'], 'what is set beside TCP keepalive', () => {
  /** Of a fresh connection with these settings: what the kernel has on the socket, and what is said of it. */
  async function settled(liveness: NonNullable<PoolOptions['liveness']>) {
    return withServer({}, async ({ origin }) => {
      await using pool = createPool({ liveness })
      await sendOk(pool, origin)
      const { retransmitInterval, userTimeout, keepAlive } = onlySocket(pool, origin)
      const { applied, asked } = pool.explain(origin).liveness
      return { there: { retransmitInterval, userTimeout, keepAlive }, applied, asked }
    })
  }

  /** What sockets have that nobody has touched; undefined where the kernel has no such setting (before Linux 6.15). */
  const usual = async () => (await settled(false)).there.retransmitInterval

  it.each(['lan', 'cloud', 'mobile'] as const)(
    'is a cap on the pauses between retransmissions, with %s',
    async (name) => {
      const cap = (await usual()) === undefined ? undefined : retransmitCap(presets[name], systemRetries())
      const { there, applied } = await settled(name)
      expect(there.retransmitInterval).toBe(cap)
      expect(applied).toMatchObject({ retransmitInterval: cap })
    },
  )

  it('is nothing with a triple that no cap goes with', async () => {
    const { there, applied } = await settled({ idle: 1_000, interval: 121_000, probes: 1 })
    expect(there.retransmitInterval).toBe(await usual())
    expect(applied).toMatchObject({ retransmitInterval: there.retransmitInterval })
  })

  it("is nothing with liveness: 'system'", async () => {
    const { there, applied } = await settled('system')
    expect(there).toMatchObject({ retransmitInterval: await usual(), userTimeout: 0 })
    expect(applied).toMatchObject({ retransmitInterval: there.retransmitInterval, userTimeout: 0 })
  })

  it('is a userTimeout only if asked for', async () => {
    expect((await settled(triple)).there.userTimeout).toBe(0)
    expect((await settled({ ...triple, userTimeout: 0 })).there.userTimeout).toBe(0)
    const { there, applied, asked } = await settled({ ...triple, userTimeout: 12_345 })
    expect(there).toMatchObject({ userTimeout: 12_345, keepAlive: { enabled: true, ...triple } })
    expect(applied).toMatchObject({ ...triple, userTimeout: 12_345 })
    expect(asked).toEqual({ ...triple, userTimeout: 12_345 })
  })
})

describe('without native access', () => {
  // What Node itself can do decides what there is to report.
  const reported = nodeSetsTriple
    ? { ...nothing, enabled: true, ...triple, source: 'node' }
    : { ...nothing, enabled: true, idle: triple.idle, source: 'idle-only' }

  it('reports what could be set, and no more', async () => {
    await withServer({}, async ({ origin }) => {
      await using pool = poolWithoutKernel({ liveness: triple })
      await sendOk(pool, origin)
      expect(pool.explain(origin).liveness.applied).toEqual(reported)
      expect(pool.capabilities).toEqual({
        tcpInfo: false,
        tcpKeepAlive: nodeSetsTriple ? 'node' : 'idle-only',
        deadPeers: 'while-silent',
        requestReplay: true,
        koffi: undefined,
        why: expect.stringContaining('left out'),
      })
    })
  })

  itWith(['linux', 'koffi'], 'sets what Node can set', async () => {
    await withServer({}, async ({ origin }) => {
      await using pool = poolWithoutKernel({ liveness: triple })
      await sendOk(pool, origin)
      const expected = nodeSetsTriple ? triple : { idle: triple.idle }
      expect(onlySocket(pool, origin).keepAlive).toMatchObject({ enabled: true, ...expected })
    })
  })

  itWith(['linux', 'koffi'], "switches on with the system's own Ti with liveness: 'system'", async () => {
    await withServer({}, async ({ origin }) => {
      await using pool = poolWithoutKernel({ liveness: 'system' })
      await sendOk(pool, origin)
      const { idle } = systemLiveness()
      expect(onlySocket(pool, origin).keepAlive).toMatchObject({ enabled: true, idle })
      expect(pool.explain(origin).liveness.applied).toMatchObject({ enabled: true, idle })
    })
  })

  itWith(['linux', 'koffi'], 'switches off with liveness: false', async () => {
    await withServer({}, async ({ origin }) => {
      await using pool = poolWithoutKernel({ liveness: false })
      await sendOk(pool, origin)
      expect(onlySocket(pool, origin).keepAlive.enabled).toBe(false)
      expect(pool.explain(origin).liveness.applied).toEqual({ ...nothing, source: 'off' })
    })
  })
})

describe('on a Unix domain socket', () => {
  const settings: PoolOptions['liveness'][] = [triple, 'cloud', 'system', false]

  it.each(settings)('reports TCP keepalive as unsupported and works, with liveness %o', async (liveness) => {
    const directory = mkdtempSync(join(tmpdir(), 'keepwise-unix-'))
    const socketPath = join(directory, 'socket')
    try {
      await withServer({ socketPath }, async ({ origin, connections }) => {
        for (const make of [createPool, poolWithoutKernel]) {
          await using pool = make({ connect: { socketPath }, liveness: liveness! })
          for (let n = 0; n < 3; n++) await sendOk(pool, origin)
          expect(pool.explain(origin).liveness.applied).toEqual({ ...nothing, source: 'unsupported' })
        }
        expect(connections.map(({ requests }) => requests.length)).toEqual([3, 3])
      })
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

/** The kernel's timer runs, and comes up no later than Ti from now; a timer of another kind has no time here. */
const runsWithin = (idle: number) => (timer: number | undefined) => timer !== undefined && timer >= 0 && timer <= idle
