/** Ways to end an idle connection that are not a plain FIN: RST alone, a 408 before the FIN, a close_notify before it. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { PoolEvents } from '../../src/index.js'
import { describeWith } from '../support/requirements.js'
import { certificateFor } from '../support/wire/certificate.js'
import { crossings } from '../support/wire/crossings.js'
import { bodyOf, Load, type Outcome, urlsOf } from '../support/wire/load.js'
import { servers } from '../support/wire/programs.js'
import { Ledger } from '../support/wire/servers/ledger.js'
import { withWire } from '../support/wire/wire.js'

/** One way, in milliseconds: word of the end is there long before the request can have been answered with RST. */
const DELAY = 20

const METHODS = ['POST', 'GET'] as const
/** Requests at once to each kind of server by each method. */
const AT_ONCE = 8
/** Once in each round word of the end arrives so many milliseconds after the requests have left; RST takes 40. */
const LATER = [0, 10, 30, 50]
const ROUNDS = LATER.length

const KINDS = [
  { ending: 'reset', scheme: 'http' },
  { ending: 'reset', scheme: 'https' },
  { ending: 'request-timeout', scheme: 'http' },
  { ending: 'request-timeout', scheme: 'https' },
  { ending: 'close-notify', scheme: 'https' },
] as const

interface Result {
  /** Every one has crossed with the end of its connection. */
  readonly outcomes: readonly Outcome[]
  readonly replays: readonly Parameters<PoolEvents['replay']>[0][]
  readonly ledger: Ledger
}

async function raceAll(): Promise<Result> {
  return withWire({ delay: DELAY }, async (wire) => {
    const tls = certificateFor(wire.server.address)
    const races = KINDS.flatMap((kind) => METHODS.flatMap((method) => Array(AT_ONCE).fill({ ...kind, method })))
    const each = races.map(({ ending, scheme }) => ({ ending, ...(scheme === 'https' && { tls }) }))
    const server = await wire.server.node(servers.idle)
    const { ports } = await server.call('listen', { each })
    // It would learn when they close, and not race any more.
    const load = await Load.start(wire, { learn: false, connect: { ca: tls.cert } })
    const end = () => server.call('end')
    const outcomes: Outcome[] = []
    for (const [round, longer] of LATER.entries()) {
      const steps = races.map(({ ending, scheme, method }, lane) => {
        const [url] = urlsOf(wire, [ports[lane]], scheme) as [string]
        return { url, id: `${ending} ${scheme} ${method} ${lane}.${round}`, method, ...bodyOf(method) }
      })
      await load.run(steps.map(({ url, id }) => [{ url, id: `${id} primer` }]))
      outcomes.push(
        ...(await crossings(wire, ports, { end, longer, send: () => load.run(steps.map((step) => [step])) })),
      )
    }
    const { requests } = await server.call('records')
    const ledger = Ledger.of(requests.map(({ id }: { id: string }) => id))
    return { outcomes, ledger, replays: await load.events('replay') }
  })
}

describeWith(['linux', 'root', 'netns', 'tun', 'ip', 'koffi', 'openssl'], 'raced, a server that ends', () => {
  let all: Result
  beforeAll(async () => {
    all = await raceAll()
  })

  for (const { ending, scheme } of KINDS) {
    const of = (method: string) => all.outcomes.filter(({ id }) => id.startsWith(`${ending} ${scheme} ${method} `))
    const timesOf = ({ id }: Outcome) => all.ledger.times.get(id) ?? 0
    const each = <T>(value: T) => Array(AT_ONCE * ROUNDS).fill(value)

    describe(`with ${ending}, ${scheme}`, () => {
      it('answers every GET', () => {
        expect(of('GET').map(({ status }) => status)).toEqual(each(200))
      })

      if (ending === 'reset')
        it('fails POSTs that it has not processed: nobody knows what RST alone means, and the error says so', () => {
          const failure = {
            ...{ code: 'ECONNRESET', cause: 'ERR_KEEPWISE_CONNECTION', verdict: 'unknown', refusal: 'not-proven' },
            evidence: { acknowledged: 0, fin: false, reset: true },
          }
          expect(of('POST').map(({ error }) => error)).toMatchObject(each(failure))
          expect(of('POST').map(timesOf)).toEqual(each(0))
        })
      else
        it('refuses POSTs, which are sent again: it processes each once', () => {
          expect(of('POST').map(({ status }) => status)).toEqual(each(200))
          expect(of('POST').map(timesOf)).toEqual(each(1))
          const origins = new Set(of('POST').map(({ url }) => new URL(url).origin))
          const replays = all.replays.filter(({ origin }) => origins.has(origin))
          const proof = {
            method: 'POST',
            verdict: 'refused',
            evidence: { acknowledged: 0, fin: true, reset: true },
            attempt: 1,
          }
          expect(replays).toMatchObject(each(proof))
        })
    })
  }
})
