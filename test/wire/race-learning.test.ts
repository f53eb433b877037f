/**
 * Learning on the wire: what a server that says nothing of its idle timeout teaches by closing, how well that serves, how
 * fast a change is followed, and what teaches nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect } from 'vitest'
import { Random } from '../support/random.js'
import { itWith, type Requirement } from '../support/requirements.js'
import { certificateFor } from '../support/wire/certificate.js'
import { monotonic } from '../support/wire/clock.js'
import { bodyOf, failuresAmong, Load, type Outcome, type Step, urlsOf } from '../support/wire/load.js'
import { MortalServer } from '../support/wire/mortal.js'
import { servers } from '../support/wire/programs.js'
import { realTime } from '../support/wire/real-time.js'
import { withWire } from '../support/wire/wire.js'

const WIRE: Requirement[] = ['linux', 'root', 'netns', 'tun', 'ip', 'koffi']

/** One way; a round trip takes 40 ms. */
const DELAY = 20

/** How far from the server's timer what is learned may be, in milliseconds. */
const PRECISION = 30

/** A time that is long enough to see a change, and how often to look. */
const ROUND = 1_100

interface Scene {
  load: Load
  url: string
  /** Has the server close after another time. */
  change(closeAfter: number): Promise<void>
}

interface Setting {
  closeAfter: number
  learn?: boolean
  scheme?: 'http' | 'https'
}

/** A server that closes after so long, and a pool. */
function withServer(setting: Setting, body: (scene: Scene) => Promise<void>): Promise<void> {
  const { closeAfter, learn = true, scheme = 'http' } = setting
  return withWire({ delay: DELAY }, async (wire) => {
    const tls = scheme === 'https' ? certificateFor(wire.server.address) : undefined
    const server = await wire.server.node(servers.idle, { prefix: realTime })
    const { ports } = await server.call('listen', { closeAfter, tls })
    const [url] = urlsOf(wire, ports, scheme) as [string]
    const load = await Load.start(wire, { learn, ...(tls && { connect: { ca: tls.cert } }) }, { prefix: realTime })
    await body({ load, url, change: (time) => server.call('change', time) })
  })
}

/** So many requests at once, half of them POSTs. */
function volley(load: Load, url: string, count: number, more: () => Partial<Step> = () => ({})): Promise<Outcome[]> {
  const lanes = Array.from({ length: count }, (_, lane) => {
    const method = lane % 2 === 0 ? 'POST' : 'GET'
    return [{ url, id: `${lane}`, method, ...bodyOf(method), ...more() }]
  })
  return load.run(lanes)
}

async function learned(load: Load): Promise<(number | undefined)[]> {
  return (await load.events('learn')).map(({ timeout }) => timeout)
}

/** Too long never; a packet that a busy machine holds up on the wire makes one close look early, and the smallest counts. */
const isAbout =
  (timeout: number) =>
  (known = Infinity) =>
    known >= 0.85 * timeout && known <= timeout + PRECISION

/** A few requests every so often, until what was learned is about this. */
async function untilLearned({ load, url }: Scene, timeout: number, patience: number, more?: () => Partial<Step>) {
  const start = monotonic()
  while (monotonic() - start < patience) {
    expect(failuresAmong(await volley(load, url, 2, more))).toEqual([])
    await sleep(ROUND)
    if (isAbout(timeout)((await learned(load)).at(-1))) return
  }
  throw new Error(`${timeout} ms not learned in ${patience} ms, but ${JSON.stringify(await load.events('learn'))}`)
}

// Each has a wire of its own, and mostly waits: all of them go side by side.
describe.concurrent('learning from a server that closes unannounced', () => {
  itWith(
    WIRE,
    'after 1 s: fewer than 1 of 1000 requests aimed at that needs a replay; it is followed to 0.6 s in about 5 s',
    () =>
      withServer({ closeAfter: 1000 }, async (scene) => {
        const { load, url, change } = scene
        await untilLearned(scene, 1000, 10_000)
        const [lesson] = await load.events('learn')
        expect(lesson).toMatchObject({ address: '10.77.0.2', timeout: Math.min(...(lesson?.samples ?? [])) })
        const { idleTimeout, learned: shown, margin } = await load.explain(url)
        expect(idleTimeout).toMatchObject({ source: 'learned', value: (lesson?.timeout ?? 0) - margin.value })
        expect(shown).toEqual([{ address: '10.77.0.2', timeout: lesson?.timeout, samples: lesson?.samples }])

        await volley(load, url, 100)
        const [before, replaysBefore] = [await load.stats(), (await load.events('replay')).length]
        const random = new Random(1)
        const outcomes: Outcome[] = []
        // A connection has idled for up to 35 ms more or less than the request has waited: from 60 ms before to 10 after.
        for (let round = 0; round < 10; round++)
          outcomes.push(...(await volley(load, url, 100, () => ({ idle: 957 + random.next() * 35 }))))
        const after = await load.stats()
        expect(outcomes).toHaveLength(1000)
        expect(failuresAmong(outcomes)).toEqual([])
        expect((await load.events('replay')).slice(replaysBefore)).toEqual([])
        expect(after.reused - before.reused).toBeGreaterThan(100)
        expect(after.closed['learned-timeout'] - before.closed['learned-timeout']).toBeGreaterThan(100)

        await change(600)
        await untilLearned(scene, 600, 15_000)
        expect((await learned(load)).map(isAbout(600)).indexOf(true)).toBe((await learned(load)).length - 1)
      }),
    60_000,
  )
})

describe.concurrent('what a server teaches that closes unannounced', () => {
  itWith(
    WIRE,
    'after 0.6 s and then after 2 s: that is followed in about 20 s, without going to and fro',
    () =>
      withServer({ closeAfter: 600 }, async (scene) => {
        await untilLearned(scene, 600, 10_000)
        await scene.change(2000)
        await untilLearned(scene, 2000, 40_000)
        const known = await learned(scene.load)
        const turn = known.indexOf(undefined)
        expect(turn).toBeGreaterThan(0)
        expect(known.slice(0, turn).every(isAbout(600))).toBe(true)
        expect(known.slice(turn + 1).every(isAbout(2000))).toBe(true)
      }),
    60_000,
  )

  itWith([...WIRE, 'openssl'], 'after 0.7 s, over TLS: it is known in about 5 s', () =>
    withServer({ closeAfter: 700, scheme: 'https' }, async (scene) => {
      await untilLearned(scene, 700, 10_000)
      expect((await scene.load.explain(scene.url)).idleTimeout.source).toBe('learned')
    }),
  )

  itWith(WIRE, 'after 0.7 s, by a client that reads each response 0.2 s late: it counts from when that was here', () =>
    withServer({ closeAfter: 700 }, (scene) =>
      untilLearned(scene, 700, 10_000, () => ({ block: { when: 'sent', milliseconds: 120 } })),
    ),
  )

  itWith(WIRE, 'does not happen where it is switched off', () =>
    withServer({ closeAfter: 300, learn: false }, async ({ load, url }) => {
      const rounds = 6
      for (let round = 0; round < rounds; round++) {
        expect(failuresAmong(await volley(load, url, 4))).toEqual([])
        await sleep(ROUND)
      }
      expect(await load.events('learn')).toEqual([])
      expect(await load.explain(url)).toMatchObject({ learned: [], idleTimeout: { source: 'automatic' } })
      const { closed } = await load.stats()
      expect(closed).toMatchObject({ 'server-fin': 4 * rounds, 'learned-timeout': 0 })
    }),
  )
})

describe.concurrent('learning from a server that is killed', () => {
  itWith(WIRE, 'does not happen, though it has closed connections of all ages again and again', () =>
    withWire({ delay: DELAY }, async (wire) => {
      const server = await MortalServer.start(wire)
      const [url] = urlsOf(wire, [server.port]) as [string]
      const load = await Load.start(wire)
      const [deaths, most] = [4, 30]
      for (let death = 0; death < deaths; death++) {
        // Each time a few less than the time before are used again: those have been idle for longer.
        for (let count = most; count > 0; count -= 3) {
          expect(failuresAmong(await volley(load, url, count))).toEqual([])
          await sleep(100)
        }
        await server.killAndRestart()
        await sleep(10 * DELAY)
        expect((await load.stats()).idle).toBe(0)
      }
      await sleep(ROUND)
      const { closed } = await load.stats()
      expect(closed['server-fin']).toBeGreaterThanOrEqual(deaths * most)
      expect(await load.events('learn')).toEqual([])
      expect((await load.explain(url)).learned).toEqual([])
    }),
  )
})
