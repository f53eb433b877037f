/**
 * A client whose event loop stands still while the server ends its connections: POSTs written just before, POSTs the pool
 * has taken and not yet written, and POSTs sent in the first moment afterwards are all answered, and processed once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect } from 'vitest'
import type { PoolEvents } from '../../src/index.js'
import { hasNode, NODE_MAJORS, type NodeMajor, nodeBinary } from '../support/nodes.js'
import { describeWith, itWith } from '../support/requirements.js'
import { certificateFor } from '../support/wire/certificate.js'
import { crossings } from '../support/wire/crossings.js'
import { bodyOf, Load, type Outcome, urlsOf } from '../support/wire/load.js'
import { servers } from '../support/wire/programs.js'
import { Ledger } from '../support/wire/servers/ledger.js'
import { withWire } from '../support/wire/wire.js'

/** One way. A client that is blocked for the shortest of the times below has FIN and RST when it goes on. */
const DELAY = 10

const DURATIONS = [100, 1_000, 6_000] as const
const SCHEMES = ['http', 'https'] as const
const MOMENTS = ['written', 'taken', 'late'] as const

interface Result {
  readonly outcomes: readonly Outcome[]
  readonly replays: readonly Parameters<PoolEvents['replay']>[0][]
}

interface Results {
  /** By Node version and duration. */
  readonly of: ReadonlyMap<string, Result>
  readonly ledger: Ledger
}

const key = (major: NodeMajor, milliseconds: number) => `${major} ${milliseconds}`

/** All at the same time: each Node version for each duration in a process of its own. */
async function blockAll(majors: readonly NodeMajor[]): Promise<Results> {
  return withWire({ delay: DELAY }, async (wire) => {
    const tls = certificateFor(wire.server.address)
    const groups = majors.flatMap((major) => DURATIONS.map((milliseconds) => ({ major, milliseconds })))
    const steps = groups.flatMap(({ major, milliseconds }) =>
      MOMENTS.flatMap((moment) =>
        SCHEMES.map((scheme) => ({ moment, scheme, id: `${key(major, milliseconds)} ${moment} ${scheme}` })),
      ),
    )
    const server = await wire.server.node(servers.idle)
    const { ports } = await server.call('listen', {
      each: steps.map(({ scheme }) => (scheme === 'https' ? { tls } : {})),
    })
    const clients = await Promise.all(
      groups.map(async ({ major, milliseconds }) => {
        const own = steps.flatMap(({ moment, scheme, id }, index) => {
          if (!id.startsWith(`${key(major, milliseconds)} `)) return []
          const [url] = urlsOf(wire, [ports[index]], scheme) as [string]
          return [{ moment, port: ports[index] as number, step: { url, id, method: 'POST', ...bodyOf('POST') } }]
        })
        const load = await Load.start(wire, { connect: { ca: tls.cert } }, { node: nodeBinary(major) })
        await load.run(own.map(({ step: { url, id } }) => [{ url, id: `${id} primer` }]))
        return { major, milliseconds, own, load }
      }),
    )
    // What was in use a moment ago is not looked at again before a request is written on it.
    await sleep(200)
    const written = clients.flatMap(({ own }) => own.filter(({ moment }) => moment === 'written'))
    const outcomes = await crossings(
      wire,
      written.map(({ port }) => port),
      {
        end: () => server.call('end'),
        send: () =>
          Promise.all(
            clients.map(({ own, milliseconds, load }) => {
              const at = (wanted: string) => own.filter(({ moment }) => moment === wanted).map(({ step }) => step)
              return load.blockAmid({ written: at('written'), taken: at('taken'), late: at('late'), milliseconds })
            }),
          ),
      },
    )
    const results = clients.map(async ({ major, milliseconds, load }, index): Promise<[string, Result]> => {
      return [key(major, milliseconds), { outcomes: outcomes[index] ?? [], replays: await load.events('replay') }]
    })
    const { requests } = await server.call('records')
    return {
      of: new Map(await Promise.all(results)),
      ledger: Ledger.of(requests.map(({ id }: { id: string }) => id)),
    }
  })
}

describeWith(['linux', 'root', 'netns', 'tun', 'ip', 'koffi', 'openssl'], 'with its event loop blocked', () => {
  let all: Results
  beforeAll(async () => {
    all = await blockAll(NODE_MAJORS.filter(hasNode))
  })

  for (const major of NODE_MAJORS)
    describe(`Node ${major}`, () => {
      const result = (milliseconds: number) => all.of.get(key(major, milliseconds)) as Result

      for (const milliseconds of DURATIONS)
        itWith(`node${major}`, `for ${milliseconds} ms while the server closes, has each POST processed once`, () => {
          const { outcomes } = result(milliseconds)
          expect(outcomes.map(({ status }) => status)).toEqual(Array(6).fill(200))
          expect(outcomes.map(({ id }) => all.ledger.times.get(id))).toEqual(Array(6).fill(1))
        })

      // Not after the shortest time: on a busy machine that may be over before word of the close has come.
      for (const milliseconds of [1_000, 6_000])
        itWith(
          `node${major}`,
          `for ${milliseconds} ms, knows at once what was refused, and writes nothing in vain`,
          () => {
            const proof = { verdict: 'refused', evidence: { acknowledged: 0, fin: true, reset: true, watched: 0 } }
            // Those that had been written when it stood still; all others found out in time.
            expect(result(milliseconds).replays).toMatchObject([proof, proof])
          },
        )
    })
})
