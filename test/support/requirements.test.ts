import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { projectPath } from './nodes.js'
import { missing } from './requirements.js'

describe('requirements that are missing', () => {
  it('skip their tests and say how to get them', () => {
    const { status, tests } = runFixture('')
    expect(status).toBe(0)
    expect(tests).toEqual([
      [expect.stringMatching(/^a group that lacks nginx .*needs nginx: apt-get install nginx-light/), 'skipped'],
      [expect.stringContaining('a group that lacks nginx'), 'skipped'],
      [expect.stringMatching(/^a test that lacks haproxy .*needs haproxy: apt-get install haproxy/), 'skipped'],
      ['a test that lacks nothing', 'passed'],
    ])
  })

  it('fail in CI', () => {
    const { status, tests } = runFixture('true')
    expect(status).toBe(1)
    expect(tests).toEqual([
      ['a group that lacks nginx has what it needs', 'failed'],
      ['a test that lacks haproxy', 'failed'],
      ['a test that lacks nothing', 'passed'],
    ])
  })
})

describe('requirements that are met', () => {
  it('are not missing', () => {
    expect(missing([])).toBeUndefined()
    expect(missing(process.platform === 'linux' ? 'linux' : [])).toBeUndefined()
  })
})

interface Report {
  testResults: { assertionResults: { fullName: string; status: string }[] }[]
}

/** Runs the fixture as a vitest run of its own; its tests with their outcome. */
function runFixture(ci: string): { status: number | null; tests: [name: string, outcome: string][] } {
  const vitest = projectPath('node_modules', 'vitest', 'vitest.mjs')
  const config = projectPath('test', 'support', 'fixtures', 'vitest.config.ts')
  const run = spawnSync(process.execPath, [vitest, 'run', '--config', config, '--reporter=json'], {
    encoding: 'utf8',
    env: { ...process.env, CI: ci },
  })
  const report = JSON.parse(run.stdout.slice(run.stdout.indexOf('{'))) as Report
  const tests = report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.map(({ fullName, status }): [string, string] => [fullName, status]),
  )
  return { status: run.status, tests }
}
