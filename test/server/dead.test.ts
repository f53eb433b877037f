/** What is told of clients that have died, and what their death does to the server; with a kernel that says what it is told to. */
import type http from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Native } from '../../src/liveness/native.js'
import type { ServerEvents } from '../../src/server/events.js'
import { ManualClock } from '../support/manual-clock.js'
import { itWith } from '../support/requirements.js'
import type { Handler } from '../support/servers/node.js'
import { exchange, get, type Kept, systemTools, withKept } from './support.js'

const TCP_INFO = 11

/** Where the kernel puts it, and how much: 1 or 4 bytes. */
const fields = { retransmits: [2, 1], probes: [3, 1], lastData: [52, 4], lastAck: [56, 4], rtt: [68, 4] } as const

/** The real kernel, but for what is said to be so of every connection. */
function pretending(): { native: Native | undefined; pretend: Partial<Record<keyof typeof fields, number>> } {
  const pretend: Partial<Record<keyof typeof fields, number>> = {}
  const real = systemTools().native
  const native = real && {
    ...real,
    getBytes(fd: number, level: number, name: number, target: Buffer) {
      const length = real.getBytes(fd, level, name, target)
      if (name === TCP_INFO)
        for (const [field, value] of Object.entries(pretend) as [keyof typeof fields, number][]) {
          const [offset, size] = fields[field]
          target.writeUIntLE(value, offset, size)
        }
      return length
    },
  }
  return { native, pretend }
}

type Told = Parameters<ServerEvents['dead']>[0] & { event: string }

/** All that is told. */
function record({ keeper }: Kept): Told[] {
  const told: Told[] = []
  for (const event of ['suspect', 'dead'] as const) keeper.on(event, (payload) => told.push({ event, ...payload }))
  return told
}

const liveness = { idle: 2_000, interval: 1_000, probes: 2 }
const keep = { timeout: 60_000, max: 9, liveness }

const later = async (clock: ManualClock, milliseconds: number) => {
  clock.advance(milliseconds)
  await pause(10)
}

describe('a client that answers nothing', () => {
  itWith(['linux', 'koffi'], 'is asked about after Ti of silence, suspected, and dead after Ti + Td x Nm', async () => {
    const clock = new ManualClock()
    const { native, pretend } = pretending()
    const ended: string[] = []
    const handler: Handler = (request, response) => {
      request.on('aborted', () => ended.push('aborted')).on('error', ({ message }) => ended.push(`error ${message}`))
      response.on('close', () => ended.push('close'))
    }
    await withKept({ handler, keep, tools: { clock, native } }, async (kept) => {
      const told = record(kept)
      const failures: NodeJS.ErrnoException[] = []
      kept.server.on('clientError', (error) => failures.push(error))
      const client = await kept.connect()
      client.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf')
      await expect.poll(() => kept.keeper.stats().active).toBe(1)
      await later(clock, 1_999)
      Object.assign(pretend, { lastData: 2_500, lastAck: 2_500, probes: 1, rtt: 7_000 })
      expect(told).toEqual([])
      await later(clock, 600)
      expect(told.map(({ event, during }) => [event, during])).toEqual([['suspect', 'request']])
      expect(kept.keeper.stats()).toMatchObject({ suspected: 1, dead: 0, active: 1 })
      Object.assign(pretend, { lastData: 4_300, lastAck: 4_300, probes: 2 })
      await later(clock, 1_500)
      await later(clock, 500)
      expect(told.map(({ event }) => event)).toEqual(['suspect', 'dead'])
      const { client: snapshot, evidence, during } = told[1]!
      expect({ during, evidence }).toEqual({
        during: 'request',
        evidence: {
          doing: 'waiting',
          cause: 'unanswered',
          lastHeard: 4_300,
          probes: 2,
          retransmits: 0,
          unacknowledged: 0,
          rtt: 7,
        },
      })
      const { id, remotePort, requests, remaining, idle, age, rtt } = snapshot
      expect({ id, remotePort, requests, remaining, idle, rtt }).toEqual({
        ...{ id: 1, remotePort: client.socket.localPort, requests: 1, remaining: 8, idle: 0, rtt: 7 },
      })
      expect(age).toBeGreaterThan(2_599)
      expect(age).toBeLessThanOrEqual(4_599)
      expect(snapshot.liveness).toMatchObject({ enabled: true, ...liveness })
      await client.until(({ closed, ended: fin }) => closed || fin)
      expect(ended.sort()).toEqual(['aborted', 'close', 'error aborted'])
      expect(failures.map(({ code, syscall, message }) => [code, syscall, message])).toEqual([
        ['ETIMEDOUT', 'read', `read ETIMEDOUT: 127.0.0.1:${remotePort} has answered nothing for 4300 ms`],
      ])
      expect(kept.keeper.stats()).toMatchObject({ suspected: 1, dead: 1, active: 0, idle: 0, timedOut: 0 })
      expect(clock.timers).toBe(0)
    })
  })

  itWith(['linux', 'koffi'], 'is no longer suspected when it answers', async () => {
    const clock = new ManualClock()
    const { native, pretend } = pretending()
    await withKept({ keep, tools: { clock, native } }, async (kept) => {
      const told = record(kept)
      const client = await kept.connect()
      await exchange(client, get())
      Object.assign(pretend, { lastData: 2_500, lastAck: 2_500, probes: 1 })
      await later(clock, 2_600)
      expect(told.map(({ event, during }) => [event, during])).toEqual([['suspect', 'idle']])
      Object.assign(pretend, { lastData: 2_700, lastAck: 10, probes: 0 })
      await later(clock, 10_000)
      expect(told).toHaveLength(1)
      expect(kept.keeper.stats()).toMatchObject({ suspected: 1, dead: 0, idle: 1 })
    })
  })

  itWith(
    ['linux', 'koffi'],
    'is not asked about while it keeps sending requests, nor when it speaks something else, nor without liveness',
    async () => {
      const clock = new ManualClock()
      const { native, pretend } = pretending()
      Object.assign(pretend, { lastData: 60_000, lastAck: 60_000, probes: 3 })
      const handler: Handler = ({ url }, response) => {
        if (url !== '/never') response.end('ok')
      }
      await withKept({ handler, keep, tools: { clock, native } }, async (kept) => {
        const told = record(kept)
        const client = await kept.connect()
        for (let i = 0; i < 5; i++) {
          await exchange(client, get())
          await later(clock, 1_900)
        }
        client.send(get('/never'))
        await expect.poll(() => kept.keeper.stats().active).toBe(1)
        await later(clock, 1_900)
        expect(told).toEqual([])
      })
      await withKept({ keep, tools: { clock, native } }, async (kept) => {
        const told = record(kept)
        kept.server.on('upgrade', (_, socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'))
        const client = await kept.connect()
        await exchange(client, get('/', 'connection: upgrade', 'upgrade: x'), '\r\n\r\n')
        await later(clock, 50_000)
        expect(told).toEqual([])
        expect(client.ended).toBe(false)
      })
      await withKept({ keep: { ...keep, liveness: false }, tools: { clock, native } }, async (kept) => {
        const told = record(kept)
        await exchange(await kept.connect(), get())
        await later(clock, 50_000)
        expect(told).toEqual([])
      })
    },
  )
})

/** An error as the kernel's would be. */
const failure = (code: string) => Object.assign(new Error(`read ${code}`), { code, syscall: 'read' })

describe('an error of a socket', () => {
  const cases: [string, NodeJS.ErrnoException, string[]][] = [
    ['that the kernel has given up on', failure('ETIMEDOUT'), ['unanswered']],
    ['to which there is no way', failure('EHOSTUNREACH'), ['unreachable']],
    ['that the client has reset just so', failure('ECONNRESET'), []],
    ['that somebody has destroyed', new Error('own'), []],
  ]
  it.each(cases)('%s is told as a death, or is none: %s, %j', async (_name, error, causes) => {
    for (const native of [undefined, systemTools().native]) {
      const sockets: Socket[] = []
      const handler: Handler = ({ socket }, response) => {
        sockets.push(socket)
        response.write('half')
      }
      await withKept({ handler, keep, tools: { native } }, async (kept) => {
        const told = record(kept)
        const client = await kept.connect()
        client.send(get())
        await client.until(({ received }) => received.includes('half'))
        sockets[0]?.destroy(error)
        await client.until(({ closed, ended }) => closed || ended)
        expect(told.map(({ event, during, evidence }) => [event, during, evidence.cause])).toEqual(
          causes.map((cause) => ['dead', 'response', cause]),
        )
        for (const { evidence } of told) expect(typeof evidence.lastHeard).toBe(native ? 'number' : 'undefined')
        expect(kept.keeper.stats()).toMatchObject({ dead: causes.length, suspected: 0, active: 0 })
      })
    }
  })
})

describe('what was going on', () => {
  const post = 'POST /begun HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf'
  const scenes: [string, string, string[]][] = [
    ['idle', 'nothing was ever sent', []],
    ['idle', 'a response was sent in full', [get()]],
    ['request', 'half a head is here', ['GET / HT']],
    ['request', 'half a head is here, after a response', [get(), 'GET / HT']],
    ['request', 'half a body is here', [post.replace('begun', 'never')]],
    ['response', 'half a body is here, and the response has begun', [post]],
    ['response', 'a response is awaited', [get('/never')]],
    ['response', 'a response has begun', [get('/begun')]],
  ]
  it.each(scenes)('is %s when %s', async (during, _when, texts) => {
    const handler: Handler = ({ url }, response) => {
      if (url === '/') response.end('ok')
      if (url === '/begun') response.write('half')
    }
    await withKept({ handler, keep }, async (kept) => {
      const told = record(kept)
      const client = await kept.connect()
      await expect.poll(() => kept.connections.length).toBe(1)
      for (const [index, text] of texts.entries()) {
        client.send(text)
        const sent = texts.slice(0, index + 1).join('').length
        await expect.poll(() => kept.connections[0]!.socket.bytesRead).toBe(sent)
        if (text === get()) await client.until(({ received }) => received.endsWith('ok'))
        if (text.includes('begun')) await client.until(({ received }) => received.includes('half'))
      }
      kept.connections[0]!.socket.destroy(failure('ETIMEDOUT'))
      await client.until(({ closed, ended }) => closed || ended)
      expect(told.map((each) => [each.during, each.evidence.doing === 'idle'])).toEqual([[during, during === 'idle']])
    })
  })
})

describe('listeners', () => {
  async function die(kept: Kept, sockets: Socket[]): Promise<void> {
    const client = await kept.connect()
    client.send(get())
    await client.until(({ received }) => received.includes('half'))
    sockets.at(-1)?.destroy(failure('ETIMEDOUT'))
    await client.until(({ closed, ended }) => closed || ended)
  }

  it('can be put on for good or for once, be taken off, and throw without harm', async () => {
    const sockets: Socket[] = []
    const handler = ({ socket }: http.IncomingMessage, response: http.ServerResponse) => {
      sockets.push(socket)
      response.write('half')
    }
    const warnings: string[] = []
    const warn = (warning: Error) => warnings.push(`${warning.name}: ${warning.message.split('\n')[0]}`)
    process.on('warning', warn)
    try {
      await withKept({ handler, keep }, async (kept) => {
        const heard: string[] = []
        const on = () => heard.push('on')
        const once = () => heard.push('once')
        const broken = () => {
          throw new Error('oops')
        }
        expect(kept.keeper.on('dead', broken).on('dead', on).once('dead', once)).toBe(kept.keeper)
        await die(kept, sockets)
        await die(kept, sockets)
        expect(kept.keeper.off('dead', on).off('dead', broken)).toBe(kept.keeper)
        await die(kept, sockets)
        expect(heard).toEqual(['on', 'once', 'on'])
        expect(kept.keeper.stats().dead).toBe(3)
        await expect.poll(() => warnings).toHaveLength(2)
        expect(warnings[0]).toBe('KeepwiseWarning: A listener of the "dead" event threw: Error: oops')
      })
    } finally {
      process.off('warning', warn)
    }
  })
})
