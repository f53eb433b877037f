/** The numbers of docs/dead-peers.md are those of the code, and what it says of names that change comes out so. */
import { describe, expect, it } from 'vitest'
import { timeline } from '../../docs/figures/draw.mjs'
import { PeerDeadError } from '../../src/errors.js'
import { livenessPresets } from '../../src/index.js'
import { deathCause } from '../../src/liveness/evidence.js'
import { retransmissionTime, retransmitCap } from '../../src/liveness/retransmission.js'
import { deadAfter } from '../../src/liveness/vital-signs.js'
import { resolveOptions } from '../../src/options/pool-options.js'
import { Presence } from '../../src/wire/presence.js'
import { code, Page } from './markdown.js'
import { numbersOf } from './source.js'

const page = new Page('docs/dead-peers.md')
/** What stands under a heading, in one line. */
const said = (heading: string): string => page.section(heading).replaceAll(/\s+/g, ' ')

/** All that decides when somebody is asked, suspected or given up. */
const numbers = Object.assign(
  {},
  ...[
    'liveness/vital-signs.ts',
    'liveness/monitor.ts',
    'pool/health.ts',
    'pool/heartbeat.ts',
    'pool/names.ts',
    'wire/dead-addresses.ts',
  ].map(numbersOf),
) as Record<string, number>

const { cloud } = livenessPresets

describe('the numbers', () => {
  it('has every constant with its value', () => {
    const rows = page.table('The numbers', 'Constant')
    expect(Object.keys(numbers).length).toBeGreaterThan(10)
    expect(Object.fromEntries(rows.map((row) => [code(row.Constant), Number(row.Value)]))).toEqual(numbers)
  })

  it('are said in the text as they are', () => {
    const { SHORTEST_ANSWER, ENOUGH_RETRANSMITS, PAUSE_BETWEEN_ROUNDS, LONG_SLEEP, DEATH_REMEMBERED } = numbers
    expect(said('How it is known')).toContain(`at least ${SHORTEST_ANSWER} ms and at most Td`)
    expect(said('How it is known')).toContain(`window is closed at least ${numbers.SHORTEST_WINDOW_ANSWER} ms`)
    const sends = page.table('How it is known', 'The connection').map((row) => row['Often enough'])
    expect(sends).toEqual(['Nm', `${ENOUGH_RETRANSMITS}, since one may be lost; Nm if that is 1`, 'Nm'])
    const round = `in ${(PAUSE_BETWEEN_ROUNDS as number) / 1000} s for an address`
    expect(said('The siblings')).toContain(`at most one such round ${round}`)
    expect(said('Where the kernel cannot be asked')).toContain(`once ${round}`)
    expect(said('The siblings')).toContain('heard within the last second')
    expect(numbers.SHORTEST_SILENCE).toBe(1000)
    expect(said('Other deaths')).toContain('Once a second the clocks are compared')
    expect(numbers.HEARTBEAT).toBe(1000)
    expect(said('Other deaths')).toContain(`Where ${(LONG_SLEEP as number) / 1000} s are missing`)
    const remembered = `taken for dead for ${(DEATH_REMEMBERED as number) / 1000} s`
    expect(said('Which address a connection is opened to')).toContain(remembered)
    expect(said('When a name no longer has an address')).toContain('looked up again once a minute')
    expect(numbers.REFRESH).toBe(60_000)
  })
})

describe('the text', () => {
  it('says what the default comes to', () => {
    expect(resolveOptions().liveness).toBe('cloud')
    expect(said('Dead peers')).toContain(`${deadAfter(cloud) / 1000} s at the defaults (\`liveness: 'cloud'\`)`)
  })

  it('is said in the README as well', () => {
    const text = new Page('README.md').section('Dead peers').replaceAll(/\s+/g, ' ')
    const [ofDefault, ofLan] = [cloud, livenessPresets.lan].map((triple) => deadAfter(triple) / 1000)
    expect(text).toContain(`${ofDefault} s at the defaults, ${ofLan} s with \`liveness: 'lan'\``)
  })

  it('says for how long the kernel repeats what nobody acknowledges', () => {
    const text = said('What happens without that')
    const [, longest] = /up to every (\d+) s/.exec(text) ?? []
    const [, minutes] = /after about (\d+) minutes/.exec(text) ?? []
    const [, retries] = /`net\.ipv4\.tcp_retries2` = (\d+)/.exec(text) ?? []
    const time = retransmissionTime(Number(longest) * 1000, Number(retries))
    expect(Math.floor(time / 60_000)).toBe(Number(minutes))
  })

  it("says what the system's own clock comes to", () => {
    const system = { idle: 7_200_000, interval: 75_000, probes: 9 } // tcp(7)
    const minutes = Math.floor(deadAfter(system) / 60_000)
    const text = said('Where the kernel cannot be asked')
    expect(text).toContain(`${Math.floor(minutes / 60)} hours and ${minutes % 60} minutes on Linux`)
  })

  it('says what is and what is not a death', () => {
    const heard = cloud.idle - 1
    expect(said('Other deaths')).toContain('An RST after a silence of Ti is taken for that')
    expect(deathCause('ECONNRESET', cloud.idle, cloud)).toBe('reset')
    expect(deathCause('ECONNRESET', heard, cloud)).toBeUndefined()
    expect(said('Where the kernel cannot be asked')).toContain('An RST is always a `reset`')
    expect(deathCause('ECONNRESET', undefined, cloud)).toBeUndefined()
    const codes = [...page.section('Other deaths').matchAll(/`(E[A-Z]+)`/g)].map(([, name]) => name as string)
    expect(Object.fromEntries(codes.map((name) => [name, deathCause(name, undefined, undefined)]))).toEqual({
      EHOSTUNREACH: 'unreachable',
      ENETUNREACH: 'unreachable',
      ETIMEDOUT: 'unanswered',
    })
  })

  it('names the error and the refusal', () => {
    const snapshot = { id: 1, origin: 'http://a', requests: 1, age: 0 } as ConstructorParameters<
      typeof PeerDeadError
    >[0]
    const peer = { doing: 'sending', cause: 'unanswered' } as ConstructorParameters<typeof PeerDeadError>[1]
    const error = new PeerDeadError(snapshot, peer, { verdict: 'unknown', refusal: 'unreachable', idleBefore: 0 })
    const rows = page.table('What becomes of requests', 'Through')
    expect(rows.map((row) => [code(row['The caller gets']), code(row['Its cause'])])).toEqual([
      [error.code, 'ETIMEDOUT'],
      ['ETIMEDOUT', error.code],
    ])
    expect(said('What becomes of requests')).toContain(`the refusal is \`${error.refusal}\``)
  })
})

it('draws the default, with the pauses that the kernel makes', () => {
  const { cap, ...triple } = timeline
  const inSeconds = { idle: cloud.idle / 1000, interval: cloud.interval / 1000, probes: cloud.probes }
  expect(triple).toEqual(inSeconds)
  expect(cap * 1000).toBe(retransmitCap(cloud, 15))
})

describe('when an address is gone', () => {
  const text = said('When a name no longer has an address')
  const presence = numbersOf('wire/presence.ts') as Record<string, number>
  const [MINUTE, HOUR] = [60_000, 3_600_000]

  it('has the numbers', () => {
    expect(text).toContain(`from at least ${presence.FEWEST_ABSENCES} answers in a row`)
    expect(text).toContain(`over at least ${(presence.SHORTEST_ABSENCE as number) / MINUTE} minutes`)
    expect(text).toContain(`answers within ${(presence.ROUND as number) / 1000} s count as one`)
    expect(text).toContain(`in the last ${(presence.RETURNS_REMEMBERED as number) / HOUR} hours`)
    expect(text).toContain(`absences of over ${(presence.LONGEST_TURN as number) / HOUR} hours`)
    expect(text).toContain(`for at least ${(presence.STEADY_TIME as number) / MINUTE} minutes and in at least`)
    expect(text).toContain(`in at least ${presence.STEADY_ANSWERS}. One`)
    expect(text).toContain('by chance once in a million times')
    expect(presence.CHANCE).toBe(1e-6)
    expect(text).toContain(`the same answer within ${(presence.LONGEST_CACHED as number) / MINUTE} minutes counts once`)
    const single = `out of ${presence.FEWEST_SINGLE_ABSENCES} answers in place of ${presence.FEWEST_ABSENCES}`
    expect(text).toContain(single)
    const { MOST_NAMES } = numbersOf('wire/addresses.ts')
    const { MOST_DEAD } = numbers
    const remembered = `${MOST_NAMES} names, up to ${presence.MOST_ADDRESSES} addresses of each, and ${MOST_DEAD} dead`
    expect(text).toContain(remembered)
    expect(said('When a name no longer has an address')).toContain('two lookups at a time')
    expect(numbersOf('wire/refresher.ts').MOST_AT_ONCE).toBe(2)
  })

  /** Answers, one in each minute; and after how many minutes without it an address was gone. */
  function minutesUntilGone(...answers: readonly (readonly string[])[]): number[] {
    const known = new Presence()
    const seenAt = new Map<string, number>()
    const gone: number[] = []
    for (const [minute, answer] of answers.entries()) {
      for (const address of answer) seenAt.set(address, minute)
      for (const address of known.observe(answer, false, minute * MINUTE))
        gone.push(minute - (seenAt.get(address) as number))
    }
    return gone
  }
  const times = (minutes: number, ...answer: string[]): string[][] => Array.from({ length: minutes }, () => answer)
  const eight = Array.from({ length: 8 }, (_, n) => `10.0.0.${n + 1}`)

  const lives: Readonly<Record<string, number[]>> = {
    'failover, or blue and green: all addresses are replaced': minutesUntilGone(
      ...times(31, 'blue1', 'blue2'),
      ...times(60, 'green1', 'green2'),
    ),
    'one of several addresses is taken out': minutesUntilGone(...times(31, ...eight), ...times(60, ...eight.slice(1))),
    'the one address is replaced, and the process has run for 5 minutes only': minutesUntilGone(
      ...times(5, 'blue'),
      ...times(180, 'green'),
    ),
    'one of 8 addresses is taken out, and the process has run for a minute only': minutesUntilGone(
      ...times(1, ...eight),
      ...times(60, ...eight.slice(1)),
    ),
    'rotation: 2 of 8 addresses at a time, in turn': minutesUntilGone(
      ...Array.from({ length: 2880 }, (_, n) => [eight[(2 * n) % 8] as string, eight[(2 * n + 1) % 8] as string]),
    ),
    'an address goes and comes every 10 minutes': minutesUntilGone(
      ...times(31, 'first'),
      ...Array.from({ length: 20 }, () => [...times(10, 'second'), ...times(10, 'first')]).flat(),
    ),
  }
  const rows = page.table('When a name no longer has an address', 'What happens')

  it('has a row for each life of a name that is tried here', () => {
    expect(rows.map((row) => row['What happens'])).toEqual(Object.keys(lives))
  })

  it.each(rows.map((row) => [row['What happens'], row['The old addresses are gone after']] as [string, string]))(
    '%s: %s',
    (happens, after) => {
      const gone = lives[happens] as number[]
      if (after === 'never') expect(gone).toEqual([])
      else {
        expect([...new Set(gone)]).toEqual([Number(/^(\d+) minutes/.exec(after)?.[1])])
        if (after.includes('once')) expect(gone).toHaveLength(1)
      }
    },
  )
})
