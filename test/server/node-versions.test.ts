/** On every Node that is supported, Node itself writes what it is told: the same words, the same ends. */
import { fileURLToPath } from 'node:url'
import { describe, expect } from 'vitest'
import { NODE_MAJORS, runOnNode } from '../support/nodes.js'
import { itWith, type Requirement } from '../support/requirements.js'

const file = fileURLToPath(new URL('programs/exercise.mjs', import.meta.url))

const keep = (max: number) => ['Connection: keep-alive', `Keep-Alive: timeout=1, max=${max}`]

describe('a kept server', () => {
  for (const major of NODE_MAJORS)
    itWith(`node${major}` satisfies Requirement, `counts down and closes in time on Node ${major}`, async () => {
      const { code, stdout, stderr } = await runOnNode(major, { file })
      expect(stderr).toBe('')
      expect(code).toBe(0)
      const said = JSON.parse(stdout)
      expect(said.counted.hints).toEqual([...keep(2), ...keep(1), 'Connection: close'])
      expect(said.pipelined.hints).toEqual([...keep(2), ...keep(1), 'Connection: close'])
      expect(said.idle.hints).toEqual(keep(2))
      expect(said.idle.idle).toBeGreaterThan(1_000)
      expect(said.idle.idle).toBeLessThan(2_500)
      expect(said.own.hints).toEqual(['connection: close'])
      expect(said.old.hints).toEqual(['Connection: close'])
      expect(said.continued.hints).toEqual(keep(2))
      expect(said.upgraded.hints).toEqual([])
      expect(said.closing).toEqual([
        { hints: ['Connection: close'], idle: expect.any(Number) },
        { connections: 0, requests: 0 },
      ])
      expect(said.stats).toMatchObject({ accepted: 8, requests: 12, reused: 4, refused: 2, timedOut: 2, exhausted: 2 })
      // Its own settings are those of the constant dialect where Node is not as known, which these are.
      expect(said.during).toEqual({ keepAliveTimeout: 0, maxRequestsPerSocket: 0 })
      expect(said.after).toEqual({ keepAliveTimeout: 3_000, maxRequestsPerSocket: 0, emit: false })
    })
})
