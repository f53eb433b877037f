/** What becomes of the channels' messages: records, for both faces, in order, and nothing that could harm the process. */
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ServerResponse } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type AcquireMessage, channelNames, tracing } from '../../src/channels.js'
import type { Pool } from '../../src/index.js'
import { parse } from '../../src/timeline/parse.js'
import type { RecordedEvent, RecordOf, TimelineRecord } from '../../src/timeline/record.js'
import { Recorder, recordedError } from '../../src/timeline/recorder.js'
import { catchingUncaught, send, testPool, testServer, turns, until } from '../dispatcher/support.js'
import { sendByHttp } from '../replay/caller.js'
import { FakeWaiter } from '../support/fake-links.js'
import { PoolRig } from '../support/pool-rig.js'

type Request = (pool: Pool, origin: string, signal?: AbortSignal) => Promise<unknown>

const faces: [string, Request][] = [
  ['the dispatcher', (pool, origin, signal) => send(pool, origin, { ...(signal && { signal }) })],
  ['http.request', (pool, origin, signal) => sendByHttp(pool, origin, { ...(signal && { signal }) })],
]

/** Records of what happens until the test is over. */
function recording(now?: () => number): TimelineRecord[] {
  const records: TimelineRecord[] = []
  const recorder = new Recorder((record) => void records.push(record), now)
  recorder.start()
  onTestFinished(() => recorder.stop())
  return records
}

const namesOf = (records: readonly TimelineRecord[]): RecordedEvent[] => records.map(({ event }) => event)

function only<Event extends RecordedEvent>(records: readonly TimelineRecord[], event: Event): RecordOf<Event>[] {
  return records.filter((record): record is RecordOf<Event> & TimelineRecord => record.event === event)
}

/** What is on a line of a log is the same after it was read. */
function comesBack(records: readonly TimelineRecord[]): void {
  const text = records.map((record) => `${JSON.stringify(record)}\n`).join('')
  const read = parse(text)
  expect(read.records).toEqual(records)
  expect(read.reader).toMatchObject({ bad: 0, problems: [], records: records.length })
}

describe.each(faces)('records of requests through %s', (_name, request) => {
  it('tell the life of a connection', async () => {
    const { origin } = await testServer({ keepAliveTimeout: 7_000 })
    const pool = testPool({ name: 'billing' })
    const before = Date.now()
    const records = recording()
    await request(pool, origin)
    await until(() => pool.stats().idle === 1)
    await request(pool, origin)
    await pool.close()
    expect(namesOf(records)).toEqual(['wait', 'dial', 'open', 'active', 'idle', 'active', 'idle', 'close'])
    expect(records.every((record) => record.pool.id === pool.id && record.pool.name === 'billing')).toBe(true)
    const times = records.map(({ time }) => time)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    // The clock of the process was set when it was started: the time of day may have been put right since.
    expect(Math.abs(times[0]! - before)).toBeLessThan(1_000)
    const identity = expect.objectContaining({ id: 1, origin })
    expect(only(records, 'wait')[0]).toMatchObject({ origin, waiting: 1 })
    expect(only(records, 'dial')[0]).toMatchObject({ origin, dial: 1 })
    expect(only(records, 'open')[0]).toMatchObject({ connection: identity, dial: 1, dialTime: expect.any(Number) })
    const [first, second] = only(records, 'active')
    expect(first).toMatchObject({ connection: identity, reused: false, waited: expect.any(Number) })
    expect(second).toMatchObject({ connection: identity, reused: true })
    expect(second).not.toHaveProperty('waited')
    expect(only(records, 'idle')[0]!.connection.advertisedTimeout).toBe(7_000)
    const [closed] = only(records, 'close')
    expect(closed).toMatchObject({ connection: identity, reason: 'pool-closed' })
    expect(closed).not.toHaveProperty('error')
    comesBack(records)
  })

  it('tell who waits, who leaves the line, who is refused, and who is served in the end', async () => {
    const held: ServerResponse[] = []
    const { origin } = await testServer((_request, response) => void held.push(response))
    const pool = testPool({ maxConnections: 1, maxWaiting: 2 })
    const first = request(pool, origin)
    await until(() => held.length === 1)
    const records = recording()
    const controller = new AbortController()
    const leaves = expect(request(pool, origin, controller.signal)).rejects.toThrow(/abort/i)
    const stays = request(pool, origin)
    await until(() => pool.stats().waiting === 2)
    await expect(request(pool, origin)).rejects.toMatchObject({ code: 'ERR_KEEPWISE_QUEUE_FULL' })
    controller.abort()
    await leaves
    held[0]!.end('ok')
    await first
    await until(() => held.length === 2)
    held[1]!.end('ok')
    await stays
    await until(() => pool.stats().idle === 1)
    expect(namesOf(records)).toEqual(['wait', 'wait', 'refused', 'left', 'active', 'idle'])
    expect(only(records, 'wait').map(({ waiting }) => waiting)).toEqual([1, 2])
    const message = expect.stringContaining('maxWaiting is 2')
    expect(only(records, 'refused')[0]).toMatchObject({ origin, error: { code: 'ERR_KEEPWISE_QUEUE_FULL', message } })
    expect(only(records, 'left')[0]).toMatchObject({ origin })
    expect(only(records, 'active')[0]).toMatchObject({ reused: true, waited: expect.any(Number) })
    comesBack(records)
  })

  it('tell of a request that is sent again, and of what broke its connection', async () => {
    let requests = 0
    const { origin } = await testServer((incoming, response) => {
      if (++requests === 2) incoming.socket.resetAndDestroy()
      else response.end('ok')
    })
    const pool = testPool()
    await request(pool, origin)
    await until(() => pool.stats().idle === 1)
    const records = recording()
    await request(pool, origin)
    expect(namesOf(records).slice(0, 7)).toEqual(['active', 'close', 'replay', 'wait', 'dial', 'open', 'active'])
    expect(only(records, 'close')[0]).toMatchObject({
      reason: 'reset',
      error: { code: 'ECONNRESET', message: expect.stringContaining('ECONNRESET') },
    })
    expect(only(records, 'replay')[0]).toMatchObject({ origin, method: 'GET', attempt: 1 })
    comesBack(records)
  })

  it('tell of a connection that cannot be opened', async () => {
    const server = await testServer()
    await server.close()
    const records = recording()
    await expect(request(testPool(), server.origin)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(namesOf(records)).toEqual(['wait', 'dial', 'dial-failed', 'refused'])
    const error = { code: 'ECONNREFUSED', message: expect.stringContaining('ECONNREFUSED') }
    expect(only(records, 'dial-failed')[0]).toMatchObject({ origin: server.origin, dial: 1, error })
    expect(only(records, 'refused')[0]).toMatchObject({ origin: server.origin, error })
    comesBack(records)
  })
})

describe('a recorder', () => {
  it('says that one has waited who was served from the line within the same call', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const records = recording(() => rig.clock.now())
    const second = new FakeWaiter()
    const release = (): void => rig.release(connection!)
    subscribe(channelNames.wait, release)
    onTestFinished(() => void unsubscribe(channelNames.wait, release))
    rig.acquire('a', second)
    expect(second.connection).toBe(connection)
    expect(namesOf(records)).toEqual(['wait', 'active'])
    expect(only(records, 'active')[0]).toMatchObject({ reused: true, waited: 0 })
  })

  it('does not take one for another that asks within its turn', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    await rig.idle(1)
    const [busy, inner] = [new FakeWaiter(), new FakeWaiter()]
    const records = recording(() => rig.clock.now())
    // While the first is given the idle connection, another one asks, and has to wait.
    busy.whenGranted = () => void rig.acquire('a', inner)
    rig.acquire('a', busy)
    rig.release(busy.connection)
    expect(namesOf(records)).toEqual(['active', 'wait', 'active'])
    const [outer, waited] = only(records, 'active')
    expect(outer).not.toHaveProperty('waited')
    expect(waited).toMatchObject({ waited: 0 })
  })

  it('knows again who asks when another one, who asked meanwhile, has been served', () => {
    const records = recording(() => 1)
    const pool = { id: 9, name: 'told' }
    const connection = { id: 1, origin: 'http://a' } as never
    const [outer, inner] = [1, 2].map((): AcquireMessage => ({ pool, origin: 'http://a' }))
    tracing.acquire.start.publish(outer!)
    tracing.acquire.start.publish(inner!)
    tracing.acquire.end.publish(Object.assign(inner!, { connection, reused: true, waited: 0 }))
    channel(channelNames.wait).publish({ pool, origin: 'http://a', waiting: 1 })
    tracing.acquire.end.publish(Object.assign(outer!, { connection, reused: true, waited: 0 }))
    expect(namesOf(records)).toEqual(['active', 'wait', 'active'])
    expect(only(records, 'active').map(({ waited }) => waited)).toEqual([undefined, 0])
  })

  it('records what is learned', async () => {
    const rig = new PoolRig()
    const records = recording(() => 1.5)
    await rig.teach(5_000)
    const [learned] = only(records, 'learn')
    expect(learned).toEqual({
      ...{ time: 1.5, pool: rig.core.identity, event: 'learn', origin: 'http://a', address: '127.0.0.1' },
      ...{ timeout: 5_000, samples: [5_000, 5_000, 5_000] },
    })
    comesBack(records)
  })

  it('may be started and stopped at any time, twice as well', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const records: TimelineRecord[] = []
    const recorder = new Recorder((record) => void records.push(record))
    onTestFinished(() => recorder.stop())
    await send(pool, origin)
    recorder.start()
    recorder.start()
    await send(pool, origin)
    await until(() => pool.stats().idle === 1)
    expect(namesOf(records)).toEqual(['active', 'idle'])
    recorder.stop()
    recorder.stop()
    await send(pool, origin)
    expect(records).toHaveLength(2)
    recorder.start()
    await send(pool, origin)
    await until(() => pool.stats().idle === 1)
    expect(namesOf(records)).toEqual(['active', 'idle', 'active', 'idle'])
  })

  it('leaves no subscriber behind', () => {
    const recorder = new Recorder(() => {})
    recorder.start()
    recorder.stop()
    const rig = new PoolRig()
    expect(rig.core.events.heard('open')).toBe(false)
  })

  it('keeps to itself what fails in it, and says so once', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const warnings: (Error & { code?: string })[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    let calls = 0
    const recorder = new Recorder(() => {
      calls++
      throw new Error('the disk is full')
    })
    recorder.start()
    onTestFinished(() => recorder.stop())
    const caught = await catchingUncaught(async () => {
      await send(pool, origin)
      await pool.close()
    })
    await turns()
    expect(caught).toEqual([])
    expect(calls).toBe(6)
    expect(warnings.map(({ code }) => code)).toEqual(['KEEPWISE_RECORDER'])
    expect(warnings[0]!.message).toContain('the disk is full')
  })

  it('does not keep another subscriber from what is told', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const records = recording()
    let heard = 0
    const note = (): void => void heard++
    subscribe('keepwise:connection:open', note)
    onTestFinished(() => void unsubscribe('keepwise:connection:open', note))
    await send(pool, origin)
    expect(heard).toBe(1)
    expect(only(records, 'open')).toHaveLength(1)
  })
})

describe('what is kept of an error', () => {
  it.each([
    [
      'its code and message',
      Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }),
      'ECONNRESET',
      'read ECONNRESET',
    ],
    ['a message alone', new Error('broken'), undefined, 'broken'],
    [
      'the code where there is no message',
      Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }),
      'ECONNREFUSED',
      'ECONNREFUSED',
    ],
    ['the name where there is nothing else', new TypeError(), undefined, 'TypeError'],
    ['a code that is a number, as a string', Object.assign(new Error('x'), { code: 20 }), '20', 'x'],
    ['what is no error', 'gone', undefined, 'gone'],
    ['nothing', undefined, undefined, 'undefined'],
  ])('is %s', (_name, error, code, message) => {
    expect(recordedError(error)).toEqual(code === undefined ? { message } : { code, message })
  })
})
