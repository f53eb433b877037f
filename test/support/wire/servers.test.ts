/** The servers of the wire do what their names say, seen from the packets. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { describeWith, itWith } from '../requirements.js'
import { certificateFor } from './certificate.js'
import { monotonic } from './clock.js'
import { crossing } from './crossing.js'
import { startDaemon } from './daemons.js'
import { MortalServer } from './mortal.js'
import { clients, servers } from './programs.js'
import type { Ledger } from './servers/ledger.js'
import type { Arrival } from './servers/scenes.js'
import { type Wire, withWire } from './wire.js'

const WIRE = ['linux', 'root', 'netns', 'tun', 'ip', 'koffi'] as const

const post = (id: string) => `POST / HTTP/1.1\r\nhost: wire\r\nx-request-id: ${id}\r\ncontent-length: 5\r\n\r\nhello`

interface Raced {
  state: { received: string; ended: boolean; closed: boolean; error?: string }
  /** What the server sent from when it began to close. */
  flags: string[]
  /** Whether a packet other than an RST acknowledged the raced request. */
  acknowledged: boolean
}

/** Sends a request, and a second one that crosses with the server's close of the idle connection. */
async function race(wire: Wire, port: number, ca?: string): Promise<Raced> {
  const client = await wire.client.node(clients.raw)
  const id = await client.call('connect', wire.server.address, port, ca)
  await client.call('exchange', id, post('first'))
  const start = monotonic()
  await crossing(wire, () => client.call('send', id, post('raced')))
  await untilOver(async () => (await client.call('state', id)).ended || (await client.call('state', id)).closed)
  const { toServer, toClient } = await wire.trace(start)
  const sent = toServer.findLast(({ payload }) => payload > 0)!
  const acknowledging = toClient.filter(({ flags }) => flags.includes('A') && !flags.includes('R'))
  return {
    state: await client.call('state', id),
    flags: toClient.map(({ flags }) => flags),
    // Sequence numbers wrap around: their difference as 32 bits tells which is the later one.
    acknowledged: acknowledging.some((packet) => ((packet.acknowledgement - sent.sequence - sent.payload) | 0) >= 0),
  }
}

/** `expect.poll` knows of one test at a time. */
async function untilOver(holds: () => Promise<boolean>): Promise<void> {
  for (const start = monotonic(); !(await holds()); await sleep(20))
    if (monotonic() - start > 2000) throw new Error('the connection has not ended in 2 s')
}

describeWith(WIRE, 'the server that ends idle connections', () => {
  const CLOSE_AFTER = 400
  /** Runs a race with it, and gives what the client saw and what the server has processed. */
  async function raceIdleServer(options: object, tls = false): Promise<Raced & { processed: string[] }> {
    return withWire({ delay: 1 }, async (wire) => {
      const certificate = tls ? certificateFor(wire.server.address) : undefined
      const server = await wire.server.node(servers.idle)
      const { ports } = await server.call('listen', { closeAfter: CLOSE_AFTER, tls: certificate, ...options })
      const raced = await race(wire, ports[0], certificate?.cert)
      const { requests } = await server.call('records')
      return { ...raced, processed: requests.map(({ id }: { id: string }) => id) }
    })
  }

  for (const tls of [false, true]) {
    describe.concurrent(tls ? 'with TLS' : 'plain', () => {
      it('closes: FIN, then RST for the request, which it neither acknowledges nor processes', async () => {
        const { flags, acknowledged, processed } = await raceIdleServer({}, tls)
        expect(processed).toEqual(['first'])
        expect(acknowledged).toBe(false)
        const [fin, reset] = ['F', 'R'].map((one) => flags.findIndex((flag) => flag.includes(one)))
        expect(fin).toBeGreaterThanOrEqual(0)
        expect(reset).toBeGreaterThan(fin!)
      })

      it('half-closes: FIN, and processes and acknowledges the request that comes after it', async () => {
        for (const afterEnd of ['answer', 'stay-silent', 'close']) {
          const { state, acknowledged, processed } = await raceIdleServer({ ending: 'half-close', afterEnd }, tls)
          expect(processed).toEqual(['first', 'raced'])
          expect(acknowledged).toBe(true)
          expect(state.ended).toBe(true)
        }
      })

      it('half-closes, and resets the connection when it has processed the request', async () => {
        // Its RST may be the only packet that acknowledges the request, and a client's kernel learns nothing from that.
        const { flags, processed } = await raceIdleServer({ ending: 'half-close', afterEnd: 'reset' }, tls)
        expect(processed).toEqual(['first', 'raced'])
        expect(flags.some((flag) => flag.includes('R'))).toBe(true)
      })

      it('resets: RST without a FIN, and nothing is processed', async () => {
        const { state, flags, processed } = await raceIdleServer({ ending: 'reset' }, tls)
        expect(processed).toEqual(['first'])
        expect(flags.some((flag) => flag.includes('F'))).toBe(false)
        expect(state.error).toBe('ECONNRESET')
      })

      it('says 408 before it closes, and processes nothing', async () => {
        const { state, acknowledged, processed } = await raceIdleServer({ ending: 'request-timeout' }, tls)
        expect(processed).toEqual(['first'])
        expect(acknowledged).toBe(false)
        expect(state.received).toContain('HTTP/1.1 408 Request Timeout')
      })
    })
  }

  it('closes 400 ms after its last response, to a few milliseconds', async () => {
    await withWire({}, async (wire) => {
      const server = await wire.server.node(servers.idle)
      const { ports } = await server.call('listen', { closeAfter: CLOSE_AFTER })
      const client = await wire.client.node(clients.raw)
      const id = await client.call('connect', wire.server.address, ports[0])
      await client.call('send', id, post('one'))
      await sleep(200)
      await client.call('send', id, post('two'))
      await expect.poll(async () => (await client.call('state', id)).ended, { timeout: 3000 }).toBe(true)
      const { toClient } = await wire.trace()
      const answered = toClient.filter(({ payload }) => payload > 0).at(-1)!
      const closed = toClient.find(({ flags }) => flags.includes('F'))!
      expect(closed.at - answered.at).toBeGreaterThan(CLOSE_AFTER - 3)
      expect(closed.at - answered.at).toBeLessThan(CLOSE_AFTER + 60)
    })
  })

  it('advertises what it is told to, and counts a request that comes twice', async () => {
    await withWire({}, async (wire) => {
      const server = await wire.server.node(servers.idle)
      const { ports } = await server.call('listen', { advertise: 7, ports: 2 })
      const client = await wire.client.node(clients.raw)
      for (const port of ports) {
        const id = await client.call('connect', wire.server.address, port)
        await client.call('send', id, post('same'))
        await expect.poll(async () => (await client.call('state', id)).received).toMatch(/keep-alive: timeout=7\r\n/i)
      }
      expect(await server.call('report')).toMatchObject({ requests: 2, processed: 1, twice: ['same'], connections: 2 })
    })
  })
})

describeWith(WIRE, 'the server that does what the path says', () => {
  it('answers at once, after some time, in pieces, at length, or never, and counts what it got', async () => {
    await withWire({ delay: 1 }, async (wire) => {
      const server = await wire.server.node(servers.scenes)
      const { ports } = await server.call('listen', { ports: 5 })
      const client = await wire.client.node(clients.raw)
      const requests = ['', 'after/300', 'stream/20', 'large/100000', 'never'].map((path) => ({
        path,
        id: `to /${path}`,
      }))
      const connections: number[] = []
      for (const [index, { path, id }] of requests.entries()) {
        connections.push(await client.call('connect', wire.server.address, ports[index]))
        await client.call('send', connections[index]!, post(id).replace('POST /', `POST /${path}`))
      }
      await server.call(
        'arrived',
        requests.map(({ id }) => id),
      )
      const states = (): Promise<Raced['state'][]> => Promise.all(connections.map((id) => client.call('state', id)))
      await sleep(150)
      const early = await states()
      expect(early[0]!.received).toMatch(/^keep-alive: timeout=600\r$/im)
      expect(early[0]!.received).toContain('{"id":"to /","received":5}')
      expect(early[1]!.received).toBe('')
      expect(early[2]!.received.match(/x{1000}/g)!.length).toBeGreaterThan(1)
      expect(early[3]!.received.length).toBeGreaterThan(100_000)
      await sleep(300)
      const late = await states()
      expect(late[1]!.received).toContain('{"id":"to /after/300","received":5}')
      expect(late[2]!.received.length).toBeGreaterThan(early[2]!.received.length)
      expect(late[4]!.received).toBe('')
      expect(late.filter(({ ended, closed }) => ended || closed)).toEqual([])
      const arrivals = await server.call('requests')
      expect(arrivals.map(({ received, complete }: Arrival) => [received, complete])).toEqual(
        requests.map(() => [5, true]),
      )
    })
  })

  it('answers when it is told to, and the second of two requests', async () => {
    await withWire({ delay: 1 }, async (wire) => {
      const server = await wire.server.node(servers.scenes)
      const { ports } = await server.call('listen')
      const client = await wire.client.node(clients.raw)
      const send = async (path: string, id: string): Promise<number> => {
        const connection: number = await client.call('connect', wire.server.address, ports[0])
        await client.call('send', connection, post(id).replace('POST /', `POST /${path}`))
        await server.call('arrived', [id], 5)
        return connection
      }
      const receivedBy = async (id: number) => (await client.call('state', id)).received
      const told = await send('told', 'told')
      const first = await send('second', 'twice')
      await sleep(100)
      expect([await receivedBy(told), await receivedBy(first)]).toEqual(['', ''])
      await server.call('tell', ['told'])
      await expect.poll(() => receivedBy(told)).toContain('{"id":"told","received":5}')
      const second = await send('second', 'twice')
      await expect.poll(() => receivedBy(second)).toContain('{"id":"twice","received":5}')
      expect(await receivedBy(first)).toBe('')
    })
  })

  it('does not read a body for a while, and then all of it', async () => {
    await withWire({ delay: 1 }, async (wire) => {
      const server = await wire.server.node(servers.scenes)
      const { ports } = await server.call('listen')
      const client = await wire.client.node(clients.raw)
      const id = await client.call('connect', wire.server.address, ports[0])
      const size = 1_000_000
      const head = `POST /unread/400 HTTP/1.1\r\nhost: wire\r\nx-request-id: large\r\ncontent-length: ${size}\r\n\r\n`
      await client.call('send', id, head + 'x'.repeat(size))
      await server.call('arrived', ['large'])
      await sleep(200)
      expect(await server.call('requests')).toMatchObject([{ received: 0, complete: false }])
      await expect.poll(async () => (await client.call('state', id)).received).toContain(`"received":${size}`)
    })
  })

  it('forgets its connections with RST, and without a word on a wire that is cut', async () => {
    await withWire({ delay: 1 }, async (wire) => {
      const server = await wire.server.node(servers.scenes)
      const { ports } = await server.call('listen')
      const client = await wire.client.node(clients.raw)
      const id = await client.call('connect', wire.server.address, ports[0])
      await client.call('exchange', id, post('before'))
      await wire.cut()
      await server.call('forget')
      await sleep(100)
      await wire.mend()
      await sleep(100)
      expect(await client.call('state', id)).toMatchObject({ ended: false, closed: false })
      await client.call('send', id, post('after'))
      await expect.poll(() => client.call('state', id)).toMatchObject({ closed: true, error: 'ECONNRESET' })
      expect((await server.call('requests')).map((arrival: Arrival) => arrival.id)).toEqual(['before'])
    })
  })
})

describeWith(WIRE, 'the mortal server', () => {
  it('dies without a word to its application, comes back on its port, and has kept its ledger', async () => {
    await withWire({ delay: 1 }, async (wire) => {
      const server = await MortalServer.start(wire)
      const client = await wire.client.node(clients.raw)
      const before = await client.call('connect', wire.server.address, server.port)
      await client.call('send', before, post('before'))
      await expect.poll(async () => (await client.call('state', before)).received).toContain('ok')
      await server.killAndRestart()
      await expect.poll(async () => (await client.call('state', before)).ended).toBe(true)
      const after = await client.call('connect', wire.server.address, server.port)
      await client.call('send', after, post('after'))
      await expect.poll(async () => (await client.call('state', after)).received).toContain('ok')
      expect([...server.ledger().times.keys()]).toEqual(['before', 'after'])
      expect(server.deaths).toBe(1)
    })
  })
})

describe.concurrent('real servers on the wire', () => {
  async function raceDaemon(
    name: 'nginx' | 'apache2' | 'haproxy',
    tls: boolean,
    expected: (raced: Raced, ledger: Ledger) => void,
  ): Promise<void> {
    await withWire({ delay: 1 }, async (wire) => {
      const certificate = tls ? certificateFor(wire.server.address) : undefined
      const daemon = await startDaemon(wire, name, { seconds: 1, ...(certificate && { tls: certificate }) })
      const raced = await race(wire, daemon.port, certificate?.cert)
      expected(raced, await daemon.ledger())
    })
  }

  for (const tls of [false, true]) {
    const spoken = tls ? 'TLS' : 'plain'
    for (const name of ['nginx', 'haproxy'] as const) {
      itWith([...WIRE, name], `${name}, ${spoken}: refuses the raced request with RST, unacknowledged`, () =>
        raceDaemon(name, tls, ({ flags, acknowledged }, ledger) => {
          expect([...ledger.times]).toEqual([['first', 1]])
          expect(acknowledged).toBe(false)
          expect(flags.some((flag) => flag.includes('R'))).toBe(true)
        }),
      )
    }

    itWith([...WIRE, 'apache2'], `Apache, ${spoken}: acknowledges the raced request and throws it away`, () =>
      raceDaemon('apache2', tls, ({ acknowledged }, ledger) => {
        expect([...ledger.times]).toEqual([['first', 1]])
        expect(acknowledged).toBe(true)
      }),
    )
  }
})
