/**
 * A model client and a model server under random load, in simulated time.
 */
import { ManualClock } from '../manual-clock.js'
import { Random } from '../random.js'
import { type ClientSettings, ModelClient } from './model-client.js'
import { ModelServer, type ServerSettings } from './model-server.js'

export interface Load {
  /** Mean time between bursts of requests, in milliseconds. */
  readonly pause: number
  /** Pauses are longer or shorter by up to so much; without it there are many short ones, and no longest one. */
  readonly spread?: number
  /** Most requests at the same time. */
  readonly burst: number
}

export class Simulation {
  readonly clock = new ManualClock()
  readonly start = this.clock.now()
  readonly random: Random
  readonly server: ModelServer
  readonly client: ModelClient

  constructor(
    seed: number,
    server: ServerSettings,
    public load: Load,
    client: Partial<ClientSettings> = {},
  ) {
    this.random = new Random(seed)
    this.server = new ModelServer(this.clock, this.random, server)
    this.client = new ModelClient(this.clock, this.random, this.server, {
      way: 20,
      keepAliveTimeout: 30_000,
      obeys: true,
      ...client,
    })
  }

  /** Lets time pass under load, at most; ends as soon as something is so. Returns how long it took. */
  run(time: number, until: () => boolean = () => false): number {
    const start = this.clock.now()
    while (this.clock.now() - start < time && !until()) {
      for (let burst = this.random.below(this.load.burst); burst >= 0; burst--) this.client.request()
      this.clock.advance(Math.min(this.#pause(), start + time - this.clock.now()))
    }
    return this.clock.now() - start
  }

  /** Does something at random times, so often on average, while time passes under load. */
  runWith(time: number, every: number, act: () => void): void {
    for (let left = time; left > 0; ) {
      const pause = Math.min(left, this.#exponential(every))
      this.run(pause)
      if ((left -= pause) > 0) act()
    }
  }

  /** The longest time for which what was learned has been so without a break. */
  longest(so: (timeout: number | undefined) => boolean): number {
    let longest = 0
    let since = so(undefined) ? this.start : undefined
    for (const { at, timeout } of [...this.client.changes, { at: this.clock.now(), timeout: null }]) {
      if (since !== undefined) longest = Math.max(longest, at - since)
      if (timeout === null || !so(timeout)) since = undefined
      else since ??= at
    }
    return longest
  }

  #pause(): number {
    const { pause, spread } = this.load
    return spread === undefined ? this.#exponential(pause) : pause - spread + this.random.below(2 * spread + 1)
  }

  #exponential(mean: number): number {
    return Math.ceil(-Math.log(1 - this.random.next()) * mean)
  }

  get timeout(): number | undefined {
    return this.client.known.timeout
  }
}
