/** What the channels of node:diagnostics_channel tell, of both faces: messages, order, contexts, and that it is free unheard. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import type { ServerResponse } from 'node:http'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  type AcquireMessage,
  type ChannelMessage,
  channelNames,
  type DialMessage,
  isTraced,
  tracing,
  tracingNames,
} from '../../src/channels.js'
import type { PoolEvent } from '../../src/events.js'
import type { Pool } from '../../src/index.js'
import { Connection } from '../../src/pool/connection.js'
import { Trace } from '../../src/pool/trace.js'
import { catchingUncaught, send, testPool, testServer, until } from '../dispatcher/support.js'
import { sendByHttp } from '../replay/caller.js'
import { alive, FakeLink, FakeWaiter, healthy } from '../support/fake-links.js'
import { linkOf, PoolRig } from '../support/pool-rig.js'

type Request = (pool: Pool, origin: string, signal?: AbortSignal) => Promise<unknown>

const faces: [string, Request][] = [
  ['the dispatcher', (pool, origin, signal) => send(pool, origin, { ...(signal && { signal }) })],
  ['http.request', (pool, origin, signal) => sendByHttp(pool, origin, { ...(signal && { signal }) })],
]

const events = Object.keys(channelNames) as PoolEvent[]

type Heard = { [Event in PoolEvent]: readonly [Event, ChannelMessage<Event>] }[PoolEvent]

/** All that the plain channels tell from now on, until the test is over or the function is called. */
function listen(): { heard: Heard[]; stop: () => void } {
  const heard: Heard[] = []
  const ends = events.map((event) => {
    const note = (message: unknown): void => void heard.push([event, message] as unknown as Heard)
    subscribe(channelNames[event], note)
    return () => unsubscribe(channelNames[event], note)
  })
  const stop = (): void => {
    for (const end of ends.splice(0)) end()
  }
  onTestFinished(stop)
  return { heard, stop }
}

const phases = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const
type Phase = (typeof phases)[number]

/** One operation that a tracing channel tells of. */
interface Operation<Message> {
  readonly message: Message
  readonly phases: Phase[]
  /** The message as it was at each phase. */
  readonly at: Partial<Record<Phase, Message>>
}

/** The operations that a tracing channel tells of from now on, in the order of their starts. */
function trace<Message extends object>(name: string): Operation<Message>[] {
  const operations: Operation<Message>[] = []
  for (const phase of phases) {
    const note = (told: unknown): void => {
      const message = told as Message
      let operation = operations.find((each) => each.message === message)
      if (operation === undefined) operations.push((operation = { message, phases: [], at: {} }))
      operation.phases.push(phase)
      operation.at[phase] = { ...message }
    }
    subscribe(`tracing:${name}:${phase}`, note)
    onTestFinished(() => void unsubscribe(`tracing:${name}:${phase}`, note))
  }
  return operations
}

const traceAcquire = () => trace<AcquireMessage>(tracingNames.acquire)
const traceDial = () => trace<DialMessage>(tracingNames.dial)

/** A server that answers when the test says so. */
async function holdingServer(): Promise<{ origin: string; held: ServerResponse[]; answer: () => void }> {
  const held: ServerResponse[] = []
  const { origin } = await testServer((_request, response) => void held.push(response))
  return { origin, held, answer: () => held.shift()?.end('ok') }
}

/** An origin that refuses connections: its port was free a moment ago. */
async function refusingOrigin(): Promise<string> {
  const server = await testServer()
  await server.close()
  return server.origin
}

const coded = (code: string): Record<string, unknown> => ({ error: expect.objectContaining({ code }) })

/** The phases of what is granted at once, of what ends later, and of what comes to nothing later. */
const AT_ONCE: Phase[] = ['start', 'end']
const LATER: Phase[] = ['start', 'end', 'asyncStart', 'asyncEnd']
const REFUSED_LATER: Phase[] = ['start', 'end', 'error', 'asyncStart', 'asyncEnd']

const identityOf = ({ id, name }: Pool): { id: number; name: string } => ({ id, name })

describe.each(faces)('channels, through %s', (_name, request) => {
  it('tell what the events of a pool tell, and which pool it was', async () => {
    let requests = 0
    const { origin } = await testServer((incoming, response) => {
      // The second request meets a connection that dies under it, and is sent again.
      if (++requests === 2) incoming.socket.resetAndDestroy()
      else response.end('ok')
    })
    const pool = testPool({ name: 'billing' })
    const { heard } = listen()
    const emitted: unknown[] = []
    for (const event of events) pool.on(event, (payload: unknown) => void emitted.push([event, payload]))
    await request(pool, origin)
    await until(() => pool.stats().idle === 1)
    await request(pool, origin)
    await until(() => pool.stats().idle === 1)
    await pool.close()
    expect(heard.map(([event]) => event)).toEqual([
      ...['wait', 'open', 'idle', 'close', 'replay', 'wait', 'open', 'idle', 'close'],
    ])
    expect(heard).toEqual(
      emitted.map((each) => {
        const [event, payload] = each as [PoolEvent, object]
        return [event, { pool: identityOf(pool), ...payload }]
      }),
    )
    expect(pool.name).toBe('billing')
  })

  it('tell that a connection is granted later, or at once', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const acquires = traceAcquire()
    await request(pool, origin)
    await until(() => pool.stats().idle === 1)
    await request(pool, origin)
    expect(acquires.map((each) => each.phases)).toEqual([LATER, AT_ONCE])
    const [later, atOnce] = acquires.map(({ at }) => at)
    const asked = { pool: identityOf(pool), origin }
    expect([later!.start, later!.end, atOnce!.start]).toEqual([asked, asked, asked])
    const granted = {
      ...asked,
      connection: expect.objectContaining({ id: 1, origin, requests: 1, idle: 0 }),
      reused: false,
      waited: expect.any(Number),
    }
    expect([later!.asyncStart, later!.asyncEnd]).toEqual([granted, granted])
    expect(atOnce!.end).toEqual({
      ...{ ...asked, reused: true, waited: 0 },
      connection: expect.objectContaining({ id: 1, requests: 2 }),
    })
  })

  it('tell that a connection is refused: the line is full, or it took too long', async () => {
    const { origin, held, answer } = await holdingServer()
    const pool = testPool({ maxConnections: 1, maxWaiting: 1, acquireTimeout: 60 })
    const first = request(pool, origin)
    await until(() => held.length === 1)
    const acquires = traceAcquire()
    await Promise.all([
      expect(request(pool, origin)).rejects.toMatchObject({ code: 'ERR_KEEPWISE_ACQUIRE_TIMEOUT' }),
      expect(request(pool, origin)).rejects.toMatchObject({ code: 'ERR_KEEPWISE_QUEUE_FULL' }),
    ])
    const [late, full] = acquires
    expect(late!.phases).toEqual(REFUSED_LATER)
    expect(full!.phases).toEqual(['start', 'error', 'end'])
    const asked = { pool: identityOf(pool), origin }
    expect(late!.message).toEqual({ ...asked, ...coded('ERR_KEEPWISE_ACQUIRE_TIMEOUT') })
    expect(full!.message).toEqual({ ...asked, ...coded('ERR_KEEPWISE_QUEUE_FULL') })
    expect(late!.at.error).toEqual(late!.message)
    answer()
    await first
  })

  it('tell that it is refused because the pool is destroyed', async () => {
    const { origin, held } = await holdingServer()
    const pool = testPool({ maxConnections: 1 })
    const first = expect(request(pool, origin)).rejects.toBeDefined()
    await until(() => held.length === 1)
    const acquires = traceAcquire()
    const second = expect(request(pool, origin)).rejects.toMatchObject({ code: 'ERR_KEEPWISE_CLOSED' })
    pool.destroy()
    await Promise.all([first, second])
    expect(acquires.map((each) => each.phases)).toEqual([REFUSED_LATER])
    expect(acquires[0]!.message).toMatchObject(coded('ERR_KEEPWISE_CLOSED'))
  })

  it('tell that it is refused because no connection can be opened', async () => {
    const origin = await refusingOrigin()
    const pool = testPool()
    const [acquires, dials] = [traceAcquire(), traceDial()]
    await expect(request(pool, origin)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(acquires.map((each) => each.phases)).toEqual([REFUSED_LATER])
    expect(acquires[0]!.message).toMatchObject(coded('ECONNREFUSED'))
    expect(dials.map((each) => each.phases)).toEqual([REFUSED_LATER])
    expect(dials[0]!.at.start).toEqual({ pool: identityOf(pool), origin, dial: 1 })
    expect(dials[0]!.message).toEqual({ pool: identityOf(pool), origin, dial: 1, ...coded('ECONNREFUSED') })
  })

  it('tell that the caller of a request has left the line', async () => {
    const { origin, held, answer } = await holdingServer()
    const pool = testPool({ maxConnections: 1 })
    const first = request(pool, origin)
    await until(() => held.length === 1)
    const acquires = traceAcquire()
    const controller = new AbortController()
    const second = expect(request(pool, origin, controller.signal)).rejects.toThrow(/abort/i)
    await until(() => acquires[0]?.phases.length === 2)
    controller.abort()
    await second
    expect(acquires.map((each) => each.phases)).toEqual([LATER])
    expect(acquires[0]!.at.asyncEnd).toEqual({ pool: identityOf(pool), origin })
    answer()
    await first
  })

  it('tell of each connection that is opened, and of its number', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const dials = traceDial()
    const { heard } = listen()
    await Promise.all([request(pool, origin), request(pool, origin)])
    expect(dials.map((each) => each.phases)).toEqual([LATER, LATER])
    const asked = { pool: identityOf(pool), origin }
    dials.forEach(({ at }, index) => {
      const dial = index + 1
      expect([at.start, at.end]).toEqual([
        { ...asked, dial },
        { ...asked, dial },
      ])
      const { connection } = at.asyncStart!
      expect(at.asyncStart).toEqual({ ...asked, dial, connection: expect.objectContaining({ origin, requests: 0 }) })
      const opened = heard.flatMap(([event, message]) => (event === 'open' ? [message] : []))
      expect(opened.find((message) => message.dial === dial)?.connection.id).toBe(connection!.id)
    })
  })

  it('tell that a connection that is being opened is given up', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const dials = traceDial()
    const refused = expect(request(pool, origin)).rejects.toMatchObject({ code: 'ERR_KEEPWISE_CLOSED' })
    await until(() => dials.length === 1)
    pool.destroy()
    await refused
    await until(() => pool.stats().dialing === 0)
    expect(dials.map((each) => each.phases)).toEqual([REFUSED_LATER])
    expect(dials[0]!.message).toMatchObject(coded('ERR_KEEPWISE_CLOSED'))
    expect(dials[0]!.message).not.toHaveProperty('connection')
  })

  it('tell that a request which is sent again asks again', async () => {
    let requests = 0
    const { origin } = await testServer((incoming, response) => {
      if (++requests === 2) incoming.socket.resetAndDestroy()
      else response.end('ok')
    })
    const pool = testPool()
    await request(pool, origin)
    await until(() => pool.stats().idle === 1)
    const acquires = traceAcquire()
    await request(pool, origin)
    expect(acquires.map((each) => each.phases)).toEqual([AT_ONCE, LATER])
    expect(acquires.map(({ message }) => [message.connection?.id, message.reused])).toEqual([
      [1, true],
      [2, false],
    ])
  })

  it('have the way from asking to granting run in the contexts that tracers bind', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const [span, granting] = [new AsyncLocalStorage<string>(), new AsyncLocalStorage<string>()]
    const seen: [Phase, string | undefined, string | undefined][] = []
    for (const phase of ['end', 'asyncStart', 'asyncEnd'] as const) {
      const note = (): void => void seen.push([phase, span.getStore(), granting.getStore()])
      tracing.acquire[phase].subscribe(note)
      onTestFinished(() => void tracing.acquire[phase].unsubscribe(note))
    }
    tracing.acquire.start.bindStore(span, ({ origin: to }) => `asks ${to}`)
    tracing.acquire.asyncStart.bindStore(granting, ({ connection }) => `has ${connection?.id}`)
    onTestFinished(() => {
      tracing.acquire.start.unbindStore(span)
      tracing.acquire.asyncStart.unbindStore(granting)
    })
    await request(pool, origin)
    await until(() => pool.stats().idle === 1)
    await request(pool, origin)
    expect(seen).toEqual([
      ['end', `asks ${origin}`, undefined],
      ['asyncStart', seen[1]![1], 'has 1'],
      ['asyncEnd', seen[1]![1], 'has 1'],
      ['end', `asks ${origin}`, undefined],
    ])
    expect(span.getStore()).toBeUndefined()
  })

  it('let the caller keep the context of its own', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    traceAcquire()
    const mine = new AsyncLocalStorage<number>()
    const stores = await Promise.all(
      [1, 2, 3].map((number) => mine.run(number, () => request(pool, origin).then(() => mine.getStore()))),
    )
    expect(stores).toEqual([1, 2, 3])
  })

  it('tell two pools apart, and each by its name', async () => {
    const { origin } = await testServer()
    const pools = [testPool({ name: 'one' }), testPool({ name: 'two' })]
    const { heard } = listen()
    const acquires = traceAcquire()
    for (const pool of pools) await request(pool, origin)
    const [one, two] = pools.map(identityOf)
    expect(one!.id).not.toBe(two!.id)
    expect(acquires.map(({ message }) => message.pool)).toEqual([one, two])
    const opened = heard.flatMap(([event, message]) => (event === 'open' ? [message] : []))
    expect(opened.map(({ pool, connection }) => [pool, connection.id])).toEqual([
      [one, 1],
      [two, 1],
    ])
  })

  it('build nothing that nobody has subscribed to', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const snapshots = vi.spyOn(Connection.prototype, 'snapshot')
    const traces = vi.spyOn(Trace.prototype, 'run')
    onTestFinished(() => void vi.restoreAllMocks())
    const life = async (): Promise<void> => {
      await request(pool, origin)
      await until(() => pool.stats().idle === 1)
    }
    await life()
    await life()
    expect([snapshots.mock.calls.length, traces.mock.calls.length]).toEqual([0, 0])
    // The spies see what is built: these are the same requests, heard.
    listen()
    traceAcquire()
    await life()
    expect([snapshots.mock.calls.length, traces.mock.calls.length]).toEqual([2, 1])
  })

  it('may be subscribed to, and left again, at any time', async () => {
    const { origin, held, answer } = await holdingServer()
    const pool = testPool()
    const first = request(pool, origin)
    await until(() => held.length === 1)
    const { heard, stop } = listen()
    const acquires = traceAcquire()
    answer()
    await first
    await until(() => pool.stats().idle === 1)
    expect(heard.map(([event]) => event)).toEqual(['idle'])
    // It had asked before.
    expect(acquires).toEqual([])
    stop()
    const second = request(pool, origin)
    await until(() => held.length === 1)
    answer()
    await second
    expect(heard).toHaveLength(1)
    expect(acquires).toHaveLength(1)
  })
})

/** With Ti, Td and Nm that the pool keeps to. */
const tuned = {
  ...{ enabled: true, idle: 2_000, interval: 1_000, probes: 3 },
  ...{ retransmitInterval: 1_000, userTimeout: 0, source: 'kernel' },
} as const

describe('channels', () => {
  it('tell of peers that do not answer', async () => {
    const rig = new PoolRig({ name: 'far' })
    rig.dialer.makeLink = () => Object.assign(new FakeLink(healthy()), { liveness: tuned, peer: alive() })
    const [connection] = await rig.idle(1)
    const { heard } = listen()
    const link = linkOf(connection!)
    link.peer = alive({ silence: 2_200, probes: 1 })
    rig.clock.advance(2_200)
    link.peer = alive({ silence: 5_000, probes: 3 })
    rig.clock.advance(2_800)
    expect(heard.map(([event]) => event)).toEqual(['suspect', 'dead', 'close'])
    const pool = rig.core.identity
    expect(pool.name).toBe('far')
    expect(heard.map(([, message]) => message)).toEqual([
      { pool, connection: expect.objectContaining({ id: 1 }), evidence: expect.objectContaining({ lastHeard: 2_200 }) },
      { pool, connection: expect.objectContaining({ id: 1 }), evidence: expect.objectContaining({ lastHeard: 5_000 }) },
      { pool, connection: expect.objectContaining({ id: 1 }), reason: 'dead', ...coded('ETIMEDOUT') },
    ])
  })

  it('tell what is learned', async () => {
    const rig = new PoolRig()
    const { heard } = listen()
    await rig.teach(5_000)
    const learned = heard.flatMap(([event, message]) => (event === 'learn' ? [message] : []))
    expect(learned).toEqual([
      {
        ...{ pool: rig.core.identity, origin: 'http://a', address: '127.0.0.1', timeout: 5_000 },
        samples: [5_000, 5_000, 5_000],
      },
    ])
  })

  it('tell that a connection could not even be begun to be opened', async () => {
    const rig = new PoolRig(
      {},
      {
        dial: () => {
          throw new RangeError('no such local address')
        },
      },
    )
    const dials = traceDial()
    const waiter = rig.acquire()
    await until(() => !waiter.waits)
    expect(waiter.refusals).toMatchObject([{ message: 'no such local address' }])
    expect(dials.map(({ message }) => message.error)).toEqual([waiter.refusals[0]])
    expect(dials[0]!.phases).toEqual(['start', 'error', 'end'])
  })

  it('tell that it was left by a caller who leaves as soon as there is a line', async () => {
    const rig = new PoolRig()
    const waiter = new FakeWaiter()
    rig.core.events.on('wait', () => rig.origin().cancel(waiter))
    const acquires = traceAcquire()
    rig.acquire('a', waiter)
    expect(acquires.map((each) => each.phases)).toEqual([LATER])
    expect(acquires[0]!.message).toEqual({ pool: rig.core.identity, origin: 'http://a' })
  })

  it("are told before the pool's own listeners, who may act at once", async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const { heard } = listen()
    pool.on('open', () => pool.destroy())
    await expect(send(pool, origin)).rejects.toMatchObject({ code: 'ERR_KEEPWISE_CLOSED' })
    expect(heard.map(([event]) => event)).toEqual(['wait', 'open', 'close'])
  })

  it('tell how long one has waited', async () => {
    const rig = new PoolRig()
    const acquires = traceAcquire()
    rig.acquire()
    rig.clock.advance(40)
    await rig.openAll()
    expect(acquires.map(({ message }) => message.waited)).toEqual([40])
  })

  it('tell that a waiter is granted one before it acts on it', async () => {
    const rig = new PoolRig()
    const order: string[] = []
    for (const phase of ['end', 'asyncStart', 'asyncEnd'] as const) {
      const note = (): void => void order.push(phase)
      tracing.acquire[phase].subscribe(note)
      onTestFinished(() => void tracing.acquire[phase].unsubscribe(note))
    }
    const act = (): FakeWaiter => Object.assign(new FakeWaiter(), { whenGranted: () => void order.push('granted') })
    const later = act()
    rig.acquire('a', later)
    await rig.openAll()
    rig.release(later.connection)
    rig.acquire('a', act())
    expect(order).toEqual(['end', 'asyncStart', 'granted', 'asyncEnd', 'end', 'granted'])
  })

  it('let no subscriber that throws harm a request', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const thrower = (): void => {
      throw new Error('thrown by a subscriber')
    }
    const names = [...Object.values(channelNames), ...phases.map((phase) => `tracing:${tracingNames.acquire}:${phase}`)]
    for (const name of names) subscribe(name, thrower)
    const stop = (): void => {
      for (const name of names) unsubscribe(name, thrower)
    }
    onTestFinished(stop)
    const caught = await catchingUncaught(async () => {
      expect(await send(pool, origin)).toMatchObject({ body: 'ok' })
      await until(() => pool.stats().idle === 1)
      stop()
    })
    // As Node has it, wherever a subscriber throws.
    expect(caught.length).toBeGreaterThan(3)
    expect(caught.every((error) => (error as Error).message === 'thrown by a subscriber')).toBe(true)
    expect(pool.stats()).toMatchObject({ active: 0, idle: 1, pending: 0, requests: 1 })
  })

  it('are those that everybody finds by their names', () => {
    for (const [kind, name] of Object.entries(tracingNames))
      for (const phase of phases)
        expect(tracing[kind as keyof typeof tracing][phase]).toBe(channel(`tracing:${name}:${phase}`))
    expect(isTraced(tracingChannel('keepwise:nobody'))).toBe(false)
  })

  it.each(phases)('know that they are followed where only %s is', (phase) => {
    const followed = tracingChannel('keepwise:followed')
    const note = (): void => {}
    followed[phase].subscribe(note)
    expect(isTraced(followed)).toBe(true)
    followed[phase].unsubscribe(note)
    expect(isTraced(followed)).toBe(false)
  })
})
