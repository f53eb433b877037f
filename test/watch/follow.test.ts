/** Following an endpoint from outside: each record once and in order, over gaps, restarts and refusals. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FIRST_DELAY, type FollowOptions, follow, LONGEST_DELAY, Refused, type Told } from '../../src/cli/follow.js'
import type { WatchState } from '../../src/watch.js'
import { until } from '../dispatcher/support.js'
import { PoolRig } from '../support/pool-rig.js'
import { testWatch } from './support.js'

/** What a follower is told until the test is over. */
class Follower {
  readonly told: Told[] = []
  readonly delays: number[] = []
  readonly #controller = new AbortController()
  readonly ended: Promise<Error | undefined>

  constructor(url: string, options: Partial<FollowOptions> = {}) {
    onTestFinished(() => this.stop())
    const wait = async (delay: number): Promise<void> => void this.delays.push(delay)
    this.ended = this.#run(new URL(url), { earlier: 0, signal: this.#controller.signal, wait, ...options })
  }

  async stop(): Promise<void> {
    this.#controller.abort()
    await this.ended
  }

  get words(): string[] {
    return this.told.map((each) => (each.what === 'record' ? each.record.event : each.what))
  }

  async #run(url: URL, options: FollowOptions): Promise<Error | undefined> {
    try {
      for await (const each of follow(url, options)) this.told.push(each)
    } catch (error) {
      return error as Error
    }
    return undefined
  }
}

/** An endpoint that says what the test wants it to. */
class FakeEndpoint {
  state: WatchState = {
    ...{ time: 1, process: { pid: 1, title: 'fake', startedAt: 1 }, pools: [], last: 0, records: [] },
  }
  readonly streams = new Set<http.ServerResponse>()
  readonly asked: string[] = []
  readonly server = http.createServer((request, response) => {
    this.asked.push(request.url as string)
    if (request.url === '/token/events') {
      this.streams.add(response)
      response.on('close', () => this.streams.delete(response))
      response.write('retry: 1000\n\n')
    } else if (this.status !== 200) response.writeHead(this.status).end()
    else if (typeof this.state === 'string') response.end(this.state)
    else {
      const after = Number(new URL(request.url as string, 'http://x').searchParams.get('after'))
      const first = this.state.last - this.state.records.length + 1
      response.end(JSON.stringify({ ...this.state, records: this.state.records.slice(Math.max(after - first + 1, 0)) }))
    }
  })
  status = 200

  static async start(): Promise<FakeEndpoint> {
    const fake = new FakeEndpoint()
    fake.server.listen(0, '127.0.0.1')
    await until(() => fake.server.listening)
    onTestFinished(() => {
      fake.server.close()
      fake.server.closeAllConnections()
    })
    return fake
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/token/`
  }

  /** It holds the records of these numbers. */
  holds(first: number, last: number, startedAt = 1): void {
    const records = Array.from({ length: last - first + 1 }, (_, index) => leftAt(first + index))
    this.state = { ...this.state, process: { ...this.state.process, startedAt }, last, records }
  }

  tell(number: number, text = JSON.stringify(leftAt(number))): void {
    for (const stream of this.streams) stream.write(`id: ${number}\ndata: ${text}\n\n`)
  }

  cut(): void {
    for (const stream of this.streams) stream.destroy()
  }
}

const leftAt = (time: number) =>
  ({ time, pool: { id: 1, name: 'default' }, event: 'left', origin: 'http://a' }) as const

const timesOf = ({ told }: Follower): number[] =>
  told.flatMap((each) => (each.what === 'record' ? [each.record.time] : []))

describe('a follower', () => {
  it('begins with as many earlier records as it is asked to, and goes on with what happens', async () => {
    const rig = new PoolRig({ name: 'api' })
    const { url } = await testWatch()
    const [connection] = await rig.idle(1)
    const [none, two, all] = [0, 2, 100].map((earlier) => new Follower(url, { earlier }))
    await until(() => [none, two, all].every((each) => each!.told[0]?.what === 'found'))
    expect(none!.told[0]).toMatchObject({ what: 'found', process: { pid: process.pid }, isNew: true })
    await until(() => all!.told.length === 6 && two!.told.length === 3)
    rig.acquire()
    rig.release(connection!)
    await until(() => [none, two, all].every((each) => each!.words.at(-1) === 'idle' && each!.told.length >= 3))
    expect(none!.words).toEqual(['found', 'active', 'idle'])
    expect(two!.words).toEqual(['found', 'active', 'idle', 'active', 'idle'])
    expect(all!.words).toEqual(['found', 'wait', 'dial', 'open', 'active', 'idle', 'active', 'idle'])
    await none!.stop()
    expect(await none!.ended).toBeUndefined()
  })

  it('gets each record once, whether by the state or by the stream or by both', async () => {
    const fake = await FakeEndpoint.start()
    fake.holds(1, 3)
    const follower = new Follower(fake.url, { earlier: 2 })
    await until(() => follower.told.length === 3)
    for (const number of [1, 2, 3, 4, 4, 5]) fake.tell(number)
    await until(() => timesOf(follower).at(-1) === 5)
    expect(timesOf(follower)).toEqual([2, 3, 4, 5])
  })

  it('asks for what it has missed when it was cut off, and counts what is gone', async () => {
    const fake = await FakeEndpoint.start()
    fake.holds(1, 3)
    const follower = new Follower(fake.url, { earlier: 1 })
    await until(() => follower.told.length === 2)
    fake.holds(4, 6)
    fake.cut()
    await until(() => follower.told.length === 7)
    expect(follower.words).toEqual(['found', 'left', 'lost', 'found', 'left', 'left', 'left'])
    expect(follower.told[2]).toEqual({ what: 'lost', why: 'the process has gone', delay: FIRST_DELAY })
    expect(follower.told[3]).toMatchObject({ isNew: false })
    fake.holds(10, 11)
    fake.cut()
    await until(() => follower.told.length === 12)
    expect(follower.words.slice(7)).toEqual(['lost', 'found', 'missed', 'left', 'left'])
    expect(follower.told[9]).toEqual({ what: 'missed', count: 3 })
    expect(timesOf(follower)).toEqual([3, 4, 5, 6, 10, 11])
    // Within one stream as well.
    fake.tell(14)
    await until(() => timesOf(follower).at(-1) === 14)
    expect(follower.told.at(-2)).toEqual({ what: 'missed', count: 2 })
  })

  it('begins anew with a process that was started anew', async () => {
    const fake = await FakeEndpoint.start()
    fake.holds(1, 30)
    const follower = new Follower(fake.url)
    await until(() => follower.told.length === 1)
    fake.holds(1, 2, 5_000)
    fake.cut()
    await until(() => follower.told.length === 5)
    expect(follower.words).toEqual(['found', 'lost', 'found', 'left', 'left'])
    expect(follower.told[2]).toMatchObject({ isNew: true, process: { startedAt: 5_000 } })
    expect(timesOf(follower)).toEqual([1, 2])
  })

  it('waits for a process that is gone, longer each time, up to a longest, and less again when it was back', async () => {
    const fake = await FakeEndpoint.start()
    const follower = new Follower(fake.url)
    await until(() => follower.told.length === 1)
    const { port } = fake.server.address() as AddressInfo
    fake.server.close()
    fake.cut()
    fake.server.closeAllConnections()
    await until(() => follower.delays.length >= 9)
    expect(follower.delays.slice(0, 9)).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000])
    expect(LONGEST_DELAY).toBe(10_000)
    fake.server.listen(port, '127.0.0.1')
    await until(() => follower.told.at(-1)?.what === 'found')
    const count = follower.delays.length
    fake.cut()
    await until(() => follower.delays.length > count)
    expect(follower.delays[count]).toBe(FIRST_DELAY)
  })

  it('takes nothing for a record that is none', async () => {
    const fake = await FakeEndpoint.start()
    fake.holds(1, 1)
    const follower = new Follower(fake.url, { earlier: 1 })
    await until(() => follower.told.length === 2)
    fake.tell(2, '{"time":1}')
    fake.tell(3, 'nonsense')
    fake.tell(4, '{"time":2,"pool":{"id":1,"name":"x"},"event":"of-a-later-version"}')
    fake.tell(5)
    await until(() => timesOf(follower).at(-1) === 5)
    expect(follower.words).toEqual(['found', 'left', 'left'])
  })

  it('fails where there is nothing, or something else, or it is refused', async () => {
    const gone = await testWatch()
    await gone.close()
    expect(await new Follower(gone.url).ended).toMatchObject({ code: 'ECONNREFUSED' })
    const { url } = await testWatch()
    const refused = await new Follower(url.replace(/[^/]+\/$/, 'another-token-than-that/')).ended
    expect(refused).toBeInstanceOf(Refused)
    expect(refused!.message).toMatch(/^http:\/\/127\.0\.0\.1:\d+ answers 404: .*Is it complete/)
    for (const answer of ['<!doctype html>', '{}', '{"process":{},"last":"1","records":[],"pools":[]}', 'null']) {
      const fake = await FakeEndpoint.start()
      fake.state = answer as never
      expect((await new Follower(fake.url).ended)?.message).toMatch(/not as an endpoint of keepwise does/)
    }
  })

  it('is refused by another process that has come in its place', async () => {
    const fake = await FakeEndpoint.start()
    const follower = new Follower(fake.url)
    await until(() => follower.told.length === 1)
    fake.status = 404
    fake.cut()
    expect(await follower.ended).toBeInstanceOf(Refused)
    await until(() => fake.streams.size === 0)
  })

  it('leaves no connection behind', async () => {
    const fake = await FakeEndpoint.start()
    const follower = new Follower(fake.url)
    await until(() => fake.asked.length === 3 && fake.streams.size === 1)
    await follower.stop()
    await until(() => fake.streams.size === 0)
    const connections = await new Promise((resolve) => fake.server.getConnections((_error, count) => resolve(count)))
    expect(connections).toBe(0)
    expect(fake.asked).toEqual([
      '/token/events',
      `/token/state?after=${Number.MAX_SAFE_INTEGER}`,
      '/token/state?after=0',
    ])
  })
})
