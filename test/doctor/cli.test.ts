/** `keepwise doctor` as it is run, of the built package: what it prints where, exit codes, Ctrl-C. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Report } from '../../src/doctor/report.js'
import { root } from '../docs/markdown.js'
import { type PeculiarServer, startPeculiar } from './peculiar-server.js'

/** Milliseconds. */
const CLOSES_AFTER = 400

const program = join(root, 'dist/cli.js')

let closing: PeculiarServer
let keeping: PeculiarServer

beforeAll(async () => {
  if (!existsSync(program)) throw new Error('Not built: npm run build:quick')
  closing = await startPeculiar({ closesAfter: CLOSES_AFTER })
  keeping = await startPeculiar({})
})

afterAll(async () => {
  await Promise.all([closing?.close(), keeping?.close()])
})

function start(...args: string[]) {
  const child = spawn(process.execPath, [program, 'doctor', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 25_000,
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const stderr: string[] = []
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => stderr.push(chunk))
  const stdout = text(child.stdout)
  return {
    interrupt: () => void child.kill('SIGINT'),
    stderr: () => stderr.join(''),
    ended: ended.then(async (code) => ({ code, stdout: await stdout, stderr: stderr.join('') })),
  }
}

const run = (...args: string[]) => start(...args).ended

describe.concurrent('a server that was measured', () => {
  it('is printed as text, with progress beside it: exit code 0', async () => {
    const { code, stdout, stderr } = await run(closing.origin, '--requests', '5')
    expect(code).toBe(0)
    const ended = Number(/^Idle +ends after (\d+) ms: the server closes \(FIN\)/m.exec(stdout)?.[1])
    expect(ended).toBeGreaterThanOrEqual(CLOSES_AFTER - 10)
    const kept = Number(/keepAliveTimeout: (\d+),/.exec(stdout)?.[1])
    expect(kept).toBeLessThanOrEqual(ended - 45)
    expect(kept).toBeGreaterThanOrEqual(ended - 110)
    expect(stdout).toContain('- not-advertised')
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(120)
    expect(stderr).toMatch(/^connecting to http:/)
    expect(stderr).toContain('idle connections')
  })

  it('is one JSON object on stdout with --json, and nothing is on stderr', async () => {
    const { code, stdout, stderr } = await run(closing.origin, '--json', '--requests', '5', '--through', 'nginx')
    expect([code, stderr]).toEqual([0, ''])
    const report = JSON.parse(stdout) as Report
    expect(report).toMatchObject({
      doctor: 1,
      complete: true,
      error: null,
      idle: { end: 'fin' },
      requests: { tried: 5 },
    })
    expect(report.recommendation?.options.through).toEqual(['nginx'])
  })
})

describe.concurrent('Ctrl-C', () => {
  it('closes everything and prints what is known by then: exit code 130', async () => {
    const running = start(keeping.origin, '--json', '--requests', '4')
    await vi.waitFor(() => expect(keeping.open()).toBe(5), { timeout: 10_000 })
    running.interrupt()
    const { code, stdout } = await running.ended
    expect(code).toBe(130)
    expect(JSON.parse(stdout)).toMatchObject({
      complete: false,
      error: null,
      requests: { tried: 4 },
      idle: { end: null, settled: false },
      recommendation: { options: {} },
    })
    await vi.waitFor(() => expect(keeping.open()).toBe(0))
  })
})

describe.concurrent('a server that is not there', () => {
  it('has exit code 1, and its error in the report', async () => {
    const { code, stdout } = await run('http://127.0.0.1:1/', '--json')
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ complete: false, error: { code: 'ECONNREFUSED' }, idle: null })
    const { stdout: printed } = await run('http://127.0.0.1:1/')
    expect(printed).toMatch(/Not complete: http:\/\/127\.0\.0\.1:1 \(127\.0\.0\.1\): connect ECONNREFUSED/)
  })
})

describe.concurrent('a command line that is wrong', () => {
  it.each([
    [['--nonsense', 'http://127.0.0.1:1/'], /unknown option '--nonsense'/],
    [[], /missing required argument 'url'/],
    [['ftp://127.0.0.1/'], /Only http and https URLs/],
    [['http://127.0.0.1:1/', '--max-wait', 'long'], /It takes seconds from 1/],
    [['http://127.0.0.1:1/', '--max-wait', '0'], /It takes seconds from 1/],
    [['http://127.0.0.1:1/', '--requests', '1.5'], /whole number/],
    [['http://127.0.0.1:1/', '--method', 'POST'], /Allowed choices are HEAD, GET, OPTIONS/],
    [['http://127.0.0.1:1/', '--header', 'no colon'], /"Name: value"/],
    [['http://127.0.0.1:1/', '--header', 'Connection: close'], /decides Connection/],
    [['http://127.0.0.1:1/', '--through', 'nonsense'], /Known names: aws-alb/],
  ])('%j has exit code 2, and says what is wrong', async (args, message) => {
    const { code, stdout, stderr } = await run(...args)
    expect(stderr).toMatch(message)
    expect([code, stdout]).toEqual([2, ''])
  })

  it('but not --help: exit code 0', async () => {
    const { code, stdout } = await run('--help')
    expect(code).toBe(0)
    expect(stdout).toContain('--longest-silence <seconds>')
  })
})
