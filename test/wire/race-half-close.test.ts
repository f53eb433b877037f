/**
 * Servers that say FIN and go on reading: what crosses with their FIN looks refused, and is processed all the same. No
 * such POST is sent again, whatever the server does afterwards.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { describeWith } from '../support/requirements.js'
import { certificateFor } from '../support/wire/certificate.js'
import { crossings } from '../support/wire/crossings.js'
import { bodyOf, failuresAmong, Load, type Outcome, urlsOf } from '../support/wire/load.js'
import { servers } from '../support/wire/programs.js'
import { Ledger } from '../support/wire/servers/ledger.js'
import { withWire } from '../support/wire/wire.js'

/** One way, in milliseconds: the FIN is known long before the request can have been acknowledged. */
const DELAY = 20

/** What the server does with a request that it processes after its FIN. */
const AFTERWARDS = ['answer', 'stay-silent', 'close'] as const
const SCHEMES = ['http', 'https'] as const

/** Requests at once to each kind of server. */
const AT_ONCE = { POST: 20, GET: 2 }
/**
 * One after the other. Word of the end arrives so many milliseconds after the requests have left, and the server's kernel
 * acknowledges them after 40 or more; in the last one that is lost, be it said by a FIN that is repeated, so that nothing
 * speaks against their being refused.
 */
const ROUNDS = [{ longer: 0 }, { longer: 10 }, { longer: 20 }, { longer: 40 }, { lost: ['ack', 'fin'] }] as const

interface Result {
  /** Every one has crossed with a FIN. */
  readonly outcomes: readonly Outcome[]
  readonly ledger: Ledger
}

async function raceAll(): Promise<Result> {
  return withWire({ delay: DELAY }, async (wire) => {
    const certificate = certificateFor(wire.server.address)
    const races = SCHEMES.flatMap((scheme) =>
      AFTERWARDS.flatMap((afterEnd) =>
        (['POST', 'GET'] as const).flatMap((method) => Array(AT_ONCE[method]).fill({ scheme, afterEnd, method })),
      ),
    )
    const server = await wire.server.node(servers.idle)
    const { ports } = await server.call('listen', {
      ...{ ending: 'half-close' },
      each: races.map(({ scheme, afterEnd }) => ({ afterEnd, ...(scheme === 'https' && { tls: certificate }) })),
    })
    // It would learn when they close, and not race any more.
    const load = await Load.start(wire, { learn: false, connect: { ca: certificate.cert } })
    const end = () => server.call('end')
    const outcomes: Outcome[] = []
    for (const [round, fault] of ROUNDS.entries()) {
      const steps = races.map(({ scheme, afterEnd, method }, lane) => {
        const [url] = urlsOf(wire, [ports[lane]], scheme) as [string]
        return { url, id: `${scheme} ${afterEnd} ${method} ${lane}.${round}`, method, ...bodyOf(method) }
      })
      await load.run(steps.map(({ url, id }) => [{ url, id: `${id} primer` }]))
      outcomes.push(
        ...(await crossings(wire, ports, { end, ...fault, send: () => load.run(steps.map((step) => [step])) })),
      )
    }
    const { requests } = await server.call('records')
    return { outcomes, ledger: Ledger.of(requests.map(({ id }: { id: string }) => id)) }
  })
}

describeWith(['linux', 'root', 'netns', 'tun', 'ip', 'koffi', 'openssl'], 'raced, a server that half-closes', () => {
  let all: Result
  beforeAll(async () => {
    all = await raceAll()
  })

  for (const scheme of SCHEMES)
    for (const afterEnd of AFTERWARDS) {
      const of = (method: string) => all.outcomes.filter(({ id }) => id.startsWith(`${scheme} ${afterEnd} ${method} `))
      const timesOf = ({ id }: Outcome) => all.ledger.times.get(id)

      describe(`and would then ${afterEnd}, ${scheme}`, () => {
        it('processes each of 100 POSTs exactly once', () => {
          expect(of('POST').map(timesOf)).toEqual(Array(100).fill(1))
        })

        it('makes them fail: nothing proves that it has not processed them', () => {
          const failures = of('POST').map(({ error }) => error)
          expect(failures).toMatchObject(Array(100).fill({ cause: 'ERR_KEEPWISE_CONNECTION', refusal: 'not-proven' }))
          expect(failures.filter((error) => !/^(unknown|closing)$/.test(error?.verdict ?? ''))).toEqual([])
          const last = failures.slice(-AT_ONCE.POST).map((error) => error?.verdict)
          expect(last).toEqual(Array(AT_ONCE.POST).fill('closing'))
        })

        it('processes GETs twice, and the second time it answers', () => {
          expect(failuresAmong(of('GET'))).toEqual([])
          expect(of('GET').map(timesOf)).toEqual(Array(10).fill(2))
        })
      })
    }
})
