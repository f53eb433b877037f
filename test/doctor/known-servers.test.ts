/** The doctor against servers whose settings are known, all at once: it has to find them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.js'
import { examine } from '../../src/doctor/doctor.js'
import { MOST_OPEN } from '../../src/doctor/limits.js'
import { doctorDefaults } from '../../src/doctor/options.js'
import type { Report } from '../../src/doctor/report.js'
import { loadNative } from '../../src/liveness/native.js'
import { resolveOptions } from '../../src/options/pool-options.js'
import { describeWith, missing } from '../support/requirements.js'
import { harmless, type KnownServer, knownServers } from './known-servers.js'

const options = { ...doctorDefaults, maxWait: 3_600, requests: 12, timeout: 8_000, patience: 800, insecure: true }

/** Apache closes up to 100 ms early, and this machine is busy; milliseconds. */
const EARLY = 130
const LATE = 600

const present = knownServers.filter(({ needs }) => needs === undefined || missing(needs) === undefined)
const running = new Map<KnownServer, { origin: string; close(): Promise<void> }>()
const reports = new Map<KnownServer, Report>()

beforeAll(async () => {
  await Promise.all(present.map(async (known) => running.set(known, await known.start())))
  await Promise.all(
    present.map(async (known) => {
      const { signal } = new AbortController()
      const tools = { clock: systemClock, native: loadNative(), signal, progress: () => {} }
      reports.set(known, await examine(running.get(known)?.origin as string, options, tools))
    }),
  )
}, 60_000)

afterAll(async () => {
  await Promise.all([...running.values()].map((server) => server.close()))
})

describe.each(knownServers)('$server, set to: $setTo', (known) => {
  describeWith(known.needs ?? [], 'is found', () => {
    const report = (): Report => reports.get(known) as Report

    it('as a whole, within the limits', () => {
      expect(report()).toMatchObject({ complete: true, error: null })
      expect(report().connections.mostOpen).toBeLessThanOrEqual(MOST_OPEN)
    })

    it('with its idle timeout', () => {
      const { idle } = report()
      if (known.idle === undefined) return expect(idle).toBe(null)
      if (known.idle === null) return expect(idle).toMatchObject({ end: null, atMost: null, settled: true })
      const { end, timeout } = known.idle
      expect(idle).toMatchObject({ end, settled: true, restarts: 0, early: null })
      const { atLeast = 0, atMost, samples = [] } = idle ?? {}
      if (end === 'fin' || end === 'reset') {
        expect(samples.length).toBeGreaterThan(1)
        expect(atLeast).toBeGreaterThan(timeout - EARLY)
        expect(atMost).toBeLessThan(timeout + LATE)
      } else {
        expect(atLeast).toBeLessThanOrEqual(timeout)
        expect(atMost).toBeGreaterThanOrEqual(timeout)
        expect((atMost as number) - atLeast).toBeLessThan(0.2 * timeout)
      }
    })

    it('with what it advertises, and its requests', () => {
      expect(report().advertised?.timeout).toBe(known.advertised ?? null)
      const { requests } = report()
      if (known.idle === undefined) return expect(requests).toBe(null)
      expect(requests).toMatchObject({ closedAfter: known.closedAfter ?? null, dialect: known.dialect ?? null })
    })

    it('with what is to be said of it', () => {
      const codes = report().findings.map(({ code }) => code)
      expect(codes.filter((code) => !harmless.includes(code))).toEqual(known.findings)
    })

    it('with options that a pool takes', () => {
      expect(() => resolveOptions(report().recommendation?.options)).not.toThrow()
    })
  })
})
