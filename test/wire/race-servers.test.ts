/**
 * POSTs and GETs that race the idle timers of real servers, which say nothing of them. What fails had to, and nothing is
 * processed twice, by the servers' own logs.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import type { PoolEvents } from '../../src/index.js'
import { Random } from '../support/random.js'
import { describeWith } from '../support/requirements.js'
import { certificateFor } from '../support/wire/certificate.js'
import { crossings } from '../support/wire/crossings.js'
import { startDaemon } from '../support/wire/daemons.js'
import { hadToFail } from '../support/wire/hindsight.js'
import { aimed, bodyOf, failuresAmong, Load, type Outcome, urlsOf } from '../support/wire/load.js'
import { servers as programs } from '../support/wire/programs.js'
import { realTime } from '../support/wire/real-time.js'
import { Ledger } from '../support/wire/servers/ledger.js'
import { type Wire, withWire } from '../support/wire/wire.js'

/** One way. A request that leaves within 40 ms before word of the close arrives is in the race. */
const DELAY = 20

interface Certificate {
  key: string
  cert: string
}

interface Server {
  /** Half of them take POSTs, the others GETs. */
  readonly ports: readonly number[]
  readonly scheme: 'http' | 'https'
  /** Idle milliseconds. */
  readonly closeAfter: number
  /** Requests of each lane, and when they are sent, in milliseconds from `closeAfter`. */
  readonly rounds: number
  readonly window: readonly [from: number, to: number]
  ledger(): Promise<Ledger>
}

const AROUND = [-60, 10] as const

async function node(wire: Wire, tls?: Certificate): Promise<Server> {
  // Its timer is longer than those of the others, so it has more lanes for as many requests.
  const program = await wire.server.node(programs.node, { prefix: realTime })
  const { ports, closeAfter } = await program.call('listen', { ports: 24, tls })
  const ledger = async () => Ledger.of(await program.call('processed'))
  return { ports, scheme: tls ? 'https' : 'http', closeAfter, rounds: 5, window: AROUND, ledger }
}

let nextPort = 8000

async function daemon(wire: Wire, name: 'nginx' | 'apache2' | 'haproxy', tls?: Certificate): Promise<Server> {
  const [closeAfter, lanes] = [500, 20]
  const options = { seconds: closeAfter / 1000, port: nextPort, ports: lanes, ...(tls && { tls }) }
  nextPort += lanes
  const { ports, ledger } = await startDaemon(wire, name, options)
  // Apache looks at its idle connections every 100 ms.
  const window = name === 'apache2' ? ([-60, 110] as const) : AROUND
  return { ports, scheme: tls ? 'https' : 'http', closeAfter, rounds: 6, window, ledger }
}

const contestants: Record<string, (wire: Wire, certificate: Certificate) => Promise<Server>> = {
  'Node, plain': (wire) => node(wire),
  'Node, TLS': node,
  'nginx, plain': (wire) => daemon(wire, 'nginx'),
  'nginx, TLS': (wire, certificate) => daemon(wire, 'nginx', certificate),
  HAProxy: (wire) => daemon(wire, 'haproxy'),
  Apache: (wire) => daemon(wire, 'apache2'),
}

type Trace = Awaited<ReturnType<Wire['trace']>>

interface Result {
  /** Of a pool that learns, and of one that does not: aimed requests, and the primers before them. */
  readonly learned: readonly Outcome[]
  readonly unlearned: readonly Outcome[]
  /** One POST and one GET that have crossed with the server's FIN for certain. */
  readonly crossed: readonly Outcome[]
  /** Of the pool that does not learn. */
  readonly replays: readonly Parameters<PoolEvents['replay']>[0][]
  readonly ledger: Ledger
}

async function raceAll(): Promise<{ results: Map<string, Result>; trace: Trace }> {
  return withWire({ delay: DELAY }, async (wire) => {
    const certificate = certificateFor(wire.server.address)
    const starting = Object.entries(contestants).map(async ([name, start]) => [name, await start(wire, certificate)])
    const servers = new Map((await Promise.all(starting)) as [string, Server][])
    const connect = { ca: certificate.cert }
    const [learning, unlearning] = await Promise.all([
      Load.start(wire, { connect }, { prefix: realTime }),
      Load.start(wire, { connect, learn: false }, { prefix: realTime }),
    ])
    const urlsFor = ({ ports, scheme }: Server, half: number) =>
      urlsOf(wire, ports, scheme).filter((_, lane) => lane % 2 === half)
    const lanes = (pool: string) =>
      [...servers].flatMap(([name, server], index) =>
        ['POST', 'GET'].flatMap((method, half) =>
          aimed({
            ...{ ...server, urls: urlsFor(server, half), name: `${pool} ${name}` },
            ...{ method, random: new Random(100 * index + half) },
          }),
        ),
      )
    const [learned, unlearned] = await Promise.all([learning.run(lanes('learned')), unlearning.run(lanes('unlearned'))])

    await learning.close()
    await sleep(Math.max(...[...servers.values()].map(({ closeAfter }) => closeAfter)) + 100)
    const targets = [...servers].flatMap(([name, server]) =>
      ['POST', 'GET'].map((method, half) => ({ name, method, url: urlsFor(server, half)[0] as string })),
    )
    const primers = await unlearning.run(
      targets.map(({ name, method, url }) => [{ url, id: `${name} before the crossing ${method}` }]),
    )
    const ports = targets.map(({ url }) => Number(new URL(url).port))
    const crossed = await crossings(wire, ports, {
      send: () =>
        unlearning.run(
          targets.map(({ name, method, url }) => [
            { url, method, id: `${name} crossing ${method}`, ...bodyOf(method) },
          ]),
        ),
    })

    const replays = await unlearning.events('replay')
    const results = [...servers].map(async ([name, server]): Promise<[string, Result]> => {
      const isOfIt = ({ url }: { url: string }) => server.ports.includes(Number(new URL(url).port))
      return [
        name,
        {
          learned: learned.filter(isOfIt),
          unlearned: [...unlearned, ...primers].filter(isOfIt),
          crossed: crossed.filter(isOfIt),
          replays: replays.filter(({ origin }) => isOfIt({ url: origin })),
          ledger: await server.ledger(),
        },
      ]
    })
    return { results: new Map(await Promise.all(results)), trace: await wire.trace() }
  })
}

describeWith(
  ['linux', 'root', 'netns', 'tun', 'ip', 'koffi', 'openssl', 'nginx', 'apache2', 'haproxy'],
  'the idle timer of a real server',
  () => {
    let results: Map<string, Result>
    let trace: Trace
    beforeAll(async () => ({ results, trace } = await raceAll()), 60_000)

    it('has been raced by many', () => {
      const races = ({ unlearned, replays }: Result) => replays.length + failuresAmong(unlearned).length
      const all = [...results.values()].reduce((sum, result) => sum + races(result), 0)
      // Two of each are certain. Of the 120 that are aimed at each server many miss it on a busy machine.
      expect(all).toBeGreaterThan(2 * results.size + 20)
    })

    for (const name of Object.keys(contestants))
      describe(name, () => {
        const result = () => results.get(name) as Result
        const everything = () => [...result().learned, ...result().unlearned, ...result().crossed]

        it('processes what is answered, and nothing else, and nothing twice', () => {
          const { ledger } = result()
          const answered = everything().filter(({ status }) => status === 200)
          expect(ledger.twice).toEqual([])
          expect([...ledger.times.keys()].sort()).toEqual(answered.map(({ id }) => id).sort())
        })

        it('fails no GET', () => {
          expect(failuresAmong(everything()).filter(({ method }) => method === 'GET')).toEqual([])
        })

        it('fails no POST that need not fail', () => {
          expect(failuresAmong(everything()).filter((outcome) => !hadToFail(trace, outcome))).toEqual([])
        })

        if (name === 'Apache')
          it('has acknowledged the POST that crossed with its FIN, and the error says so', () => {
            const [post, get] = result().crossed as [Outcome, Outcome]
            expect(get.status).toBe(200)
            expect(post.error).toMatchObject({ cause: 'ERR_KEEPWISE_CONNECTION', verdict: 'unknown' })
            const { sent, acknowledged } = post.error?.evidence ?? {}
            expect(sent).toBeGreaterThan(100)
            expect(acknowledged).toBe(sent)
            expect(post.error?.reason).toContain(
              `The verdict on the request is "unknown" (${sent} of ${sent} bytes acknowledged); it was not sent again`,
            )
          })
        else
          it('has refused the POST that crossed with its FIN: it was sent again', () => {
            const { crossed, replays } = result()
            expect(crossed.map(({ status }) => status)).toEqual([200, 200])
            const crossing = replays.filter(({ origin }) => crossed.some(({ url }) => url.startsWith(`${origin}/`)))
            expect(crossing.filter(({ method }) => method === 'POST').at(-1)).toMatchObject({
              verdict: 'refused',
              evidence: { acknowledged: 0, fin: true, reset: true },
              attempt: 1,
            })
          })
      })
  },
)
