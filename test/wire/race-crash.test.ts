/**
 * A server that is killed again and again under load, and comes back: every request is settled once, no POST is processed
 * twice, and what fails had to.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import { Random } from '../support/random.js'
import { describeWith } from '../support/requirements.js'
import { hadToFail } from '../support/wire/hindsight.js'
import { bodyOf, failuresAmong, Load, type Outcome, type Step, urlsOf } from '../support/wire/load.js'
import { MortalServer } from '../support/wire/mortal.js'
import type { Ledger } from '../support/wire/servers/ledger.js'
import { type Wire, withWire } from '../support/wire/wire.js'

/** One way, in milliseconds. */
const DELAY = 10
const LANES = 20
const REQUESTS = 80

interface Result {
  readonly outcomes: readonly Outcome[]
  readonly violations: readonly string[]
  readonly replays: readonly { method: string }[]
  readonly pending: number
  readonly ledger: Ledger
  readonly deaths: number
  readonly trace: Awaited<ReturnType<Wire['trace']>>
}

async function kill(): Promise<Result> {
  return withWire({ delay: DELAY }, async (wire) => {
    const random = new Random(1)
    // At work on some requests at any time, so that it dies with them.
    const server = await MortalServer.start(wire, { takes: 10 })
    const [url] = urlsOf(wire, [server.port]) as [string]
    const load = await Load.start(wire)
    const lanes = Array.from({ length: LANES }, (_, lane) =>
      Array.from({ length: REQUESTS }, (_, request): Step => {
        const method = random.percent(60) ? 'POST' : 'GET'
        return { url, method, id: `${method} ${lane}.${request}`, idle: random.below(90), ...bodyOf(method) }
      }),
    )
    const running = load.run(lanes)
    const isOver = running.then(() => true)
    while (!(await Promise.race([isOver, sleep(200 + random.below(600))]))) await server.killAndRestart()
    const [outcomes, { pending }] = [await running, await load.stats()]
    return {
      ...{ outcomes, pending, violations: await load.violations(), replays: await load.events('replay') },
      ...{ ledger: server.ledger(), deaths: server.deaths, trace: await wire.trace() },
    }
  })
}

describeWith(['linux', 'root', 'netns', 'tun', 'ip', 'koffi'], 'under a server that is killed and comes back', () => {
  let result: Result
  beforeAll(async () => {
    result = await kill()
  }, 60_000)

  it('settles every request exactly once', () => {
    expect(result.outcomes).toHaveLength(LANES * REQUESTS)
    expect(result.violations).toEqual([])
    expect(result.pending).toBe(0)
  })

  it('answers nothing that was not processed, and has no POST processed twice', () => {
    const { outcomes, ledger } = result
    expect(outcomes.filter(({ id, error }) => !error && !ledger.times.has(id))).toEqual([])
    expect(ledger.twice.filter((id) => id.startsWith('POST'))).toEqual([])
  })

  it('fails requests that find nobody to connect to, which have never got there, and those that had to fail', () => {
    const { outcomes, ledger, trace } = result
    const failures = failuresAmong(outcomes)
    const isConnectError = ({ error }: Outcome) => error?.cause === 'ERR_KEEPWISE_CONNECT'
    const unconnected = failures.filter(isConnectError)
    expect(unconnected.filter(({ method, id }) => method === 'POST' && ledger.times.has(id))).toEqual([])
    const broken = failures.filter((outcome) => !isConnectError(outcome))
    expect(broken.filter((outcome) => !hadToFail(trace, outcome))).toEqual([])
  })

  it('has died often enough to fail some requests and to have others sent again', () => {
    const { outcomes, deaths, replays } = result
    expect(deaths).toBeGreaterThan(5)
    for (const method of ['POST', 'GET']) expect(replays.filter((replay) => replay.method === method)).not.toEqual([])
    expect(failuresAmong(outcomes).filter(({ error }) => error?.verdict === 'unknown')).not.toEqual([])
  })
})
