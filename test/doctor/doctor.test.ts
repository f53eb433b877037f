/** The doctor on real sockets: what it is asked with, what it says of odd servers, its limits, and that it lets go. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/clock.js'
import { Connections } from '../../src/doctor/connections.js'
import { examine } from '../../src/doctor/doctor.js'
import { LARGEST_BODY, MOST_OPEN, MOST_OPENED } from '../../src/doctor/limits.js'
import { type DoctorOptions, doctorDefaults } from '../../src/doctor/options.js'
import type { Progress, Stage } from '../../src/doctor/progress.js'
import { stages } from '../../src/doctor/progress.js'
import type { Report } from '../../src/doctor/report.js'
import { doctorTarget } from '../../src/doctor/target.js'
import { loadNative } from '../../src/liveness/native.js'
import { withOtherProcess } from '../servers/other-process.js'
import { describeWith, missing } from '../support/requirements.js'
import { type Handler, startServer } from '../support/servers/node.js'
import { type Habits, startPeculiar } from './peculiar-server.js'

interface More extends Partial<DoctorOptions> {
  readonly signal?: AbortSignal
  readonly progress?: (progress: Progress) => void
  /** Without access to the kernel. */
  readonly unasked?: boolean
  /** Without what has to be waited for: probes, and idle connections. Then it is not complete. */
  readonly brief?: boolean
}

function report(url: string, more: More = {}): Promise<Report> {
  const { progress = () => {}, brief = false, unasked = brief, ...rest } = more
  const enough = new AbortController()
  const { signal = enough.signal, ...options } = rest
  const native = unasked ? { why: 'not here' } : loadNative()
  const told = (now: Progress): void => {
    progress(now)
    if (brief && now.stage === 'idle') enough.abort()
  }
  const tools = { clock: systemClock, native, signal, progress: told }
  return examine(url, { ...doctorDefaults, maxWait: 1_000, requests: 3, timeout: 3_000, ...options }, tools)
}

async function reportOf(server: { origin: string; close(): Promise<void> }, more?: More, path = '/'): Promise<Report> {
  try {
    return await report(`${server.origin}${path}`, more)
  } finally {
    await server.close()
  }
}

const ofHandler = async (handler: Handler, more?: More, path?: string) =>
  reportOf(await startServer(handler), more, path)
const ofPeculiar = async (habits: Habits, more?: More) => reportOf(await startPeculiar(habits), more)

const codes = ({ findings }: Report): string[] => findings.map(({ code }) => code)

describe.concurrent('a request of the doctor', () => {
  it('has the method, the path and the headers that it is told, and asks to keep the connection', async () => {
    const seen = new Set<string>()
    const handler: Handler = ({ method, url, headers }, response) => {
      seen.add(`${method} ${url} ${headers.host} ${headers['x-key']} ${headers.connection}`)
      response.end('ok')
    }
    await ofHandler(
      handler,
      {
        brief: true,
        method: 'GET',
        headers: [
          ['Host', 'other'],
          ['X-Key', 'a'],
        ],
      },
      '/a?b=c',
    )
    expect([...seen]).toEqual(['GET /a?b=c other a keep-alive'])
  })

  it('does not follow a redirect', async () => {
    const paths = new Set<string | undefined>()
    const found = await ofHandler(
      (request, response) => {
        paths.add(request.url)
        response.writeHead(302, { location: '/elsewhere' }).end()
      },
      { brief: true },
    )
    expect(found.request).toMatchObject({ status: 302, location: '/elsewhere' })
    expect(codes(found)).toContain('redirect')
    expect([...paths]).toEqual(['/'])
  })

  it('takes any status, and says so', async () => {
    const found = await ofHandler((_request, response) => void response.writeHead(503).end('busy'), { brief: true })
    expect(found).toMatchObject({ error: null, request: { status: 503 } })
    expect(codes(found)).toContain('error-status')
  })

  it('waits for a server that is slow, and takes that for the longest silence', async () => {
    const found = await ofPeculiar({ thinks: 60, closesAfter: 300 })
    expect(found.complete).toBe(true)
    expect(found.cost?.slowest).toBeGreaterThan(50)
    expect(found.idle).toMatchObject({ end: 'fin', settled: true })
  })
})

describe.concurrent('a server that cannot be measured', () => {
  it('is not there', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    const found = await report(`http://127.0.0.1:${port}/`)
    expect(found).toMatchObject({ complete: false, error: { code: 'ECONNREFUSED' }, recommendation: null, idle: null })
    expect(codes(found)).toEqual([])
  })

  it('does not answer', async () => {
    const found = await ofPeculiar({ thinks: 60_000 }, { timeout: 300, method: 'GET' })
    expect(found.error).toMatchObject({ code: 'NO_ANSWER', message: expect.stringContaining('within 300 ms') })
  })

  it('speaks something else', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).end('220 mail ESMTP\r\n'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const found = await report(`http://127.0.0.1:${port}/`, { method: 'GET' })
    server.close()
    expect(found.error?.code).toMatch(/UNREADABLE|ECONNRESET/)
  })

  it('sends more than 1 MiB, of which no more than that is read', async () => {
    const found = await ofHandler((_request, response) => void response.end(Buffer.alloc(LARGEST_BODY + 1)), {
      method: 'GET',
    })
    expect(found.error).toMatchObject({ code: 'UNREADABLE', message: expect.stringContaining('--method HEAD') })
  })

  it('goes away on the way: what was known by then is reported', async () => {
    const server = await startPeculiar({})
    const found = await report(server.origin, {
      maxWait: 30_000,
      progress: ({ stage }) => {
        if (stage === 'idle') void server.close()
      },
    })
    expect(found).toMatchObject({
      complete: false,
      error: { code: expect.stringMatching(/./) },
      requests: { tried: 3 },
    })
    expect(found.recommendation).not.toBe(null)
  })

  it('is no http or https URL', async () => {
    await expect(report('ftp://127.0.0.1/')).rejects.toThrow(TypeError)
  })
})

describeWith('openssl', 'a certificate', () => {
  it('is checked, unless that is not wanted', async () => {
    const checked = await reportOf(await startServer({ tls: true }))
    expect(checked.error?.code).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY/)
    const taken = await reportOf(await startServer({ tls: true }), { insecure: true, brief: true })
    expect(taken).toMatchObject({ error: null, request: { status: 200 } })
    expect(taken.cost?.tls).toBeGreaterThan(0)
    expect(codes(taken)).toContain('certificate-not-checked')
  })
})

describeWith('ipv6', 'IPv6', () => {
  it('is measured by its address', async () => {
    const found = await reportOf(await startPeculiar({ closesAfter: 200 }, '::1'))
    expect(found).toMatchObject({ complete: true, address: { address: '::1', family: 6, others: [] } })
  })
})

describe.concurrent('a name', () => {
  it('is looked up, and the first address that can be connected to is measured alone', async () => {
    const server = await startPeculiar({ closesAfter: 200 })
    const found = await reportOf({ origin: server.origin.replace('127.0.0.1', 'localhost'), close: server.close })
    expect(found).toMatchObject({ complete: true, address: { address: '127.0.0.1' } })
    expect(found.cost?.dns).toBeGreaterThan(0)
    expect(codes(found).includes('several-addresses')).toBe(found.address?.others.length !== 0)
  })
})

describe.concurrent('the limits', () => {
  it('hold: few connections at once, few in all, none left, as the server sees it', async () => {
    const server = await startPeculiar({ closesAfter: 300 })
    const found = await report(server.origin)
    expect(server.mostOpen()).toBeLessThanOrEqual(MOST_OPEN)
    expect(found.connections.mostOpen).toBeLessThanOrEqual(MOST_OPEN)
    expect(server.accepted()).toBe(found.connections.opened)
    expect(server.accepted()).toBeLessThan(MOST_OPENED / 2)
    await vi.waitFor(() => expect(server.open()).toBe(0))
    await server.close()
  })

  it('count those that are open now: one that was closed makes room at once, and none more', async () => {
    const server = await startPeculiar({})
    const connections = new Connections(doctorTarget(server.origin), { timeout: 1_000, insecure: false }, undefined)
    const address = { address: '127.0.0.1', family: 4 }
    const [first] = await Promise.all(Array.from({ length: MOST_OPEN }, () => connections.open(address)))
    await expect(connections.open(address)).rejects.toThrow(RangeError)
    first?.close()
    await connections.open(address)
    expect(connections.count).toEqual({ opened: MOST_OPEN + 1, mostOpen: MOST_OPEN })
    connections.closeAll()
    await expect(connections.open(address)).rejects.toThrow(/interrupted/)
    await server.close()
  })

  it('hold where a connection takes two requests, so that each age takes a new one', async () => {
    const server = await startServer({ keepAliveTimeout: 0, maxRequestsPerSocket: 2 })
    const found = await report(server.origin, { unasked: true, maxWait: 1_500 })
    expect(found).toMatchObject({ error: null, complete: true, requests: { closedAfter: 2 }, idle: { end: null } })
    expect(found.connections.opened).toBe(server.connections.length)
    expect(found.connections.mostOpen).toBeLessThanOrEqual(MOST_OPEN)
    await server.close()
  })

  it('of requests hold, and with 0 none are counted', async () => {
    expect((await ofPeculiar({}, { brief: true, requests: 7 })).requests).toMatchObject({ tried: 7, closedAfter: null })
    expect((await ofPeculiar({}, { brief: true, requests: 0 })).requests).toBe(null)
  })

  it('of an advertised timeout: it is waited for 5 s longer at the most', async () => {
    const texts: string[] = []
    const interrupt = new AbortController()
    const progress = ({ stage, text }: Progress): void => {
      texts.push(text)
      if (stage === 'idle') interrupt.abort()
    }
    const headers = ['keep-alive: timeout=2']
    const found = await ofPeculiar({ headers }, { maxWait: 80_000, unasked: true, signal: interrupt.signal, progress })
    expect(texts.at(-1)).toContain('for 7 s at the most')
    expect(found.advertised?.timeout).toBe(2_000)
  })
})

describe.concurrent('an interruption', () => {
  it.each(stages.map((stage) => [stage]))(
    'while %s ends it at once, with what is known by then',
    async (stage: Stage) => {
      const server = await startPeculiar({})
      const interrupt = new AbortController()
      let interruptedAt = 0
      const found = await report(server.origin, {
        maxWait: 30_000,
        requests: 100_000,
        signal: interrupt.signal,
        progress: (progress) => {
          // Not at its very beginning.
          if (progress.stage === stage)
            setTimeout(
              () => {
                interruptedAt ||= performance.now()
                interrupt.abort()
              },
              stage === 'idle' ? 700 : 0,
            )
        },
        ...(stage === 'idle' && { requests: 3 }),
      })
      expect(performance.now() - interruptedAt).toBeLessThan(500)
      expect(found).toMatchObject({ complete: false, error: null })
      if (stage === 'idle') expect(found.idle).toMatchObject({ end: null, settled: false })
      else expect(found.idle).toBe(null)
      await vi.waitFor(() => expect(server.open()).toBe(0))
      await server.close()
    },
  )
})

describe.concurrent('without a kernel to ask', () => {
  it('measures the rest', async () => {
    const found = await ofPeculiar({ closesAfter: 400 }, { unasked: true })
    expect(found).toMatchObject({
      complete: true,
      idle: { end: 'fin' },
      cost: { roundTrip: null },
      tcpKeepAlive: { answered: null, why: 'not here' },
    })
    expect(codes(found)).toContain('no-kernel')
  })
})

describe.concurrent('TCP keepalive', () => {
  it.runIf(missing('koffi') === undefined)('is applied, and answered', async () => {
    const found = await ofPeculiar({}, { brief: true, unasked: false })
    expect(found.tcpKeepAlive).toMatchObject({ applies: true, source: 'kernel', answered: true, why: null })
  })

  it('cannot be asked for on a connection that is closed within a second', async () => {
    const { tcpKeepAlive } = await ofPeculiar({ closesAfter: 300 })
    expect(tcpKeepAlive).toMatchObject({ answered: null, why: expect.stringMatching(/./) })
  })
})

describe.concurrent('progress', () => {
  it('has every part, in order', async () => {
    const seen: Stage[] = []
    await ofPeculiar({}, { brief: true, progress: ({ stage }) => void (seen.at(-1) !== stage && seen.push(stage)) })
    expect(seen).toEqual([...stages])
  })
})

describe('a doctor that is late', () => {
  it.runIf(missing('koffi') === undefined)(
    'counts from when the kernel received the response, and the FIN',
    async () => {
      // In a process of its own, which is not late. Node's server closes a second later than it says.
      await withOtherProcess({ keepAliveTimeout: 1_000 }, async ({ origin }) => {
        let busy: NodeJS.Timeout | undefined
        const progress = ({ stage }: Progress): void => {
          if (stage !== 'idle') return
          busy ??= setInterval(() => {
            for (const until = performance.now() + 150; performance.now() < until; );
          }, 10)
        }
        const { idle } = await report(origin, { requests: 0, maxWait: 2_500, progress })
        clearInterval(busy)
        expect(idle).toMatchObject({ end: 'fin', settled: true })
        expect(idle?.atLeast).toBeGreaterThan(1_980)
        expect(idle?.atMost).toBeLessThan(2_080)
      })
    },
  )
})
