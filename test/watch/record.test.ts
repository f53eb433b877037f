/** `record`: a log on a stream of the caller's, which may be slow, fail or go away. */
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { expect, it, onTestFinished } from 'vitest'
import { LogReader, linesOf, parse } from '../../src/timeline/parse.js'
import type { TimelineRecord } from '../../src/timeline/record.js'
import { Recorder } from '../../src/timeline/recorder.js'
import { record } from '../../src/watch.js'
import { catchingUncaught, get, testPool, testServer, turns, until } from '../dispatcher/support.js'
import { PoolRig } from '../support/pool-rig.js'

/** A stream that takes a line when it is told to. */
class SlowStream extends Writable {
  readonly taken: string[] = []
  readonly #waiting: (() => void)[] = []

  constructor() {
    super({ decodeStrings: false, highWaterMark: 1 })
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.#waiting.push(() => {
      this.taken.push(chunk)
      done()
    })
  }

  /** Takes what it was given, until nothing comes any more. */
  async takeAll(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      next()
      await turns(1)
    }
  }
}

function temporaryFile(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'keepwise-record-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, name)
}

function warnings(): (Error & { code?: string })[] {
  const heard: (Error & { code?: string })[] = []
  const note = (warning: Error): void => void heard.push(warning)
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  return heard
}

const eventsOf = (lines: readonly string[]): string[] => lines.map((line) => JSON.parse(line).event)

it('writes what happens to a file, from which it comes back as it was', async () => {
  const { origin } = await testServer()
  const pool = testPool()
  const expected: TimelineRecord[] = []
  const recorder = new Recorder(
    (each) => void expected.push(each),
    () => 1,
  )
  recorder.start()
  onTestFinished(() => recorder.stop())
  const file = temporaryFile('log.ndjson')
  const stream = createWriteStream(file)
  const stop = record(stream)
  await Promise.all([get(pool, origin), get(pool, origin), get(pool, origin)])
  await pool.close()
  await stop()
  // All of it is there, though the stream was not ended.
  const { records, reader } = parse(readFileSync(file, 'utf8'))
  expect(reader).toMatchObject({ bad: 0, problems: [] })
  expect(records.length).toBeGreaterThan(12)
  expect(records.map((each) => ({ ...each, time: 1 }))).toEqual(expected)
  expect(stream.writable).toBe(true)
  stream.end()
  const streamed: TimelineRecord[] = []
  const lines = new LogReader()
  for await (const line of linesOf(createReadStream(file, 'utf8'))) {
    const each = lines.read(line)
    if (each !== undefined) streamed.push(each)
  }
  expect(streamed).toEqual(records)
})

it('writes nothing after it was stopped, and may be stopped twice', async () => {
  const rig = new PoolRig()
  const stream = new SlowStream()
  const stop = record(stream)
  const stopped = stop()
  await rig.idle(1)
  await Promise.all([stopped, stop()])
  expect(stream.writableLength).toBe(0)
})

it('is done when the stream has taken everything', async () => {
  const rig = new PoolRig()
  const stream = new SlowStream()
  const stop = record(stream)
  await rig.idle(1)
  let isDone = false
  const stopped = stop().then(() => (isDone = true))
  await turns()
  expect(isDone).toBe(false)
  await stream.takeAll()
  await stopped
  expect(eventsOf(stream.taken)).toEqual(['wait', 'dial', 'open', 'active', 'idle'])
})

it('drops what a slow stream cannot take, beyond a bound, and says how much', async () => {
  const rig = new PoolRig()
  const stream = new SlowStream()
  const stop = record(stream, { maxBehind: 400 })
  const [connection] = await rig.idle(1) // five records, of which more than 400 characters wait after the third
  for (let more = 0; more < 10; more++) {
    rig.acquire()
    rig.release(connection!)
  }
  const behind = stream.writableLength
  expect(behind).toBeGreaterThan(400)
  expect(behind).toBeLessThan(2_000)
  await stream.takeAll()
  const before = eventsOf(stream.taken)
  expect(before).toEqual(['wait', 'dial', 'open', 'active', 'idle'].slice(0, before.length))
  rig.acquire()
  rig.release(connection!)
  await stream.takeAll()
  await stop()
  const gap = JSON.parse(stream.taken[before.length]!)
  expect(gap).toEqual({
    ...{ time: expect.any(Number), pool: rig.core.identity, event: 'dropped' },
    count: 25 - before.length,
  })
  expect(eventsOf(stream.taken.slice(before.length))).toEqual(['dropped', 'active', 'idle'])
  const { reader } = parse(stream.taken.join(''))
  expect(reader).toMatchObject({ bad: 0, dropped: 25 - before.length })
})

it('says what it has dropped when it ends, too', async () => {
  const rig = new PoolRig()
  const stream = new SlowStream()
  const stop = record(stream, { maxBehind: 1 })
  await rig.idle(1)
  const stopped = stop()
  await stream.takeAll()
  await stopped
  expect(eventsOf(stream.taken)).toEqual(['wait', 'dropped'])
  expect(JSON.parse(stream.taken[1]!)).toMatchObject({ pool: rig.core.identity, count: 4 })
})

it('drops nothing as long as the stream keeps up', async () => {
  const rig = new PoolRig()
  const lines: string[] = []
  const quick = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      lines.push(chunk)
      done()
    },
  })
  const stop = record(quick, { maxBehind: 2_000 })
  const [connection] = await rig.idle(1)
  for (let more = 0; more < 100; more++) {
    rig.acquire()
    rig.release(connection!)
    await turns(1)
  }
  await stop()
  expect(eventsOf(lines).filter((event) => event === 'idle')).toHaveLength(101)
  expect(eventsOf(lines)).not.toContain('dropped')
})

it('ends with a warning when the stream fails, and harms nobody', async () => {
  const { origin } = await testServer()
  const pool = testPool()
  const heard = warnings()
  const failing = new Writable({ write: (_chunk, _encoding, done) => done(new Error('no space left on device')) })
  const stop = record(failing)
  const caught = await catchingUncaught(async () => {
    expect(await get(pool, origin)).toBe('ok')
    expect(await get(pool, origin)).toBe('ok')
    await stop()
  })
  expect(caught).toEqual([])
  expect(heard.map(({ code, message }) => [code, message])).toEqual([
    ['KEEPWISE_RECORDER', 'Recording has ended, its stream has failed: no space left on device'],
  ])
})

it('ends when the stream is ended or destroyed by its owner', async () => {
  const { origin } = await testServer()
  const pool = testPool()
  const heard = warnings()
  for (const close of [(stream: Writable) => void stream.end(), (stream: Writable) => void stream.destroy()]) {
    const stream = new SlowStream()
    const stop = record(stream)
    close(stream)
    const caught = await catchingUncaught(async () => {
      expect(await get(pool, origin)).toBe('ok')
      await stop()
    })
    expect(caught).toEqual([])
    expect(stream.writableLength).toBe(0)
  }
  // One that has not taken everything when it has gone, or goes away.
  const gone = new SlowStream()
  const stopGone = record(gone)
  await get(pool, origin)
  gone.destroy()
  await turns()
  await stopGone()
  const stream = new SlowStream()
  const stop = record(stream)
  await get(pool, origin)
  expect(stream.writableLength).toBeGreaterThan(0)
  const stopped = stop()
  stream.destroy()
  await stopped
  expect(heard).toEqual([])
})

it('leaves the errors of a stream to its owner once it is stopped', async () => {
  const stream = new SlowStream()
  const stop = record(stream)
  expect(stream.listenerCount('error')).toBe(1)
  await stop()
  expect(stream.listenerCount('error')).toBe(0)
})

it('takes nothing but a stream, and the options that there are', async () => {
  const code = 'ERR_KEEPWISE_OPTION'
  for (const wrong of [undefined, null, 'log.ndjson', {}])
    expect(() => record(wrong as never)).toThrow(expect.objectContaining({ code, option: 'stream' }))
  const stream = new SlowStream()
  expect(() => record(stream, { maxBehind: 0 })).toThrow(expect.objectContaining({ code, option: 'maxBehind' }))
  expect(() => record(stream, { maxbehind: 1 } as never)).toThrow(/Did you mean "maxBehind"/)
  expect(() => record(stream, 7 as never)).toThrow(expect.objectContaining({ code, option: 'options' }))
  // Nothing was begun.
  expect(stream.listenerCount('error')).toBe(0)
  await record(stream, { maxBehind: Infinity })()
  await until(() => stream.listenerCount('error') === 0)
})
