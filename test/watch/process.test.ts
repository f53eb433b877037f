/** The endpoint and the log in a process of their own, against the built package: they keep none alive, and lose nothing. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parse } from '../../src/timeline/parse.js'
import { builtPackage, testServer, until } from '../dispatcher/support.js'
import { projectPath, runOnNode } from '../support/nodes.js'
import { Reader, stateOf } from './support.js'

beforeAll(builtPackage)

const cases: [string, 'module' | 'commonjs', string][] = [
  ['an endpoint', 'module', `import { watch } from 'keepwise/watch'; console.log((await watch()).url)`],
  ['an endpoint, in CommonJS', 'commonjs', `require('keepwise/watch').watch().then(({ url }) => console.log(url))`],
  [
    'an endpoint that somebody follows',
    'module',
    `import { watch } from 'keepwise/watch'
     import http from 'node:http'
     const { url } = await watch()
     http.get(new URL('events', url), (response) => {
       response.socket.unref()
       response.resume()
       console.log(url)
     }).on('socket', (socket) => socket.unref())
     setTimeout(() => {}, 200)`,
  ],
  [
    'a log',
    'module',
    `import { PassThrough } from 'node:stream'
     import { record } from 'keepwise/watch'
     record(new PassThrough())
     console.log('http://ok')`,
  ],
]

describe('a process', () => {
  it.concurrent.each(cases)('with %s ends by itself', async (_name, type, source) => {
    const { code, stdout, stderr } = await runOnNode(20, { source, type }, { timeout: 6_000 })
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^http:\/\//)
    expect(code).toBe(0)
  })

  it('is seen by who follows it from outside: pools of both copies of the package, until its end', async () => {
    const { origin } = await testServer({ keepAliveTimeout: 0 })
    const source = `
      import { createRequire } from 'node:module'
      import { createPool } from 'keepwise'
      import { watch } from 'keepwise/watch'
      const other = createRequire(import.meta.url)('keepwise')
      const pools = [createPool({ name: 'esm' }), other.createPool({ name: 'cjs' })]
      console.log((await watch()).url)
      process.stdin.once('data', async () => {
        for (const pool of pools)
          await (await pool.dispatcher.request({ origin: ${JSON.stringify(origin)}, path: '/', method: 'GET' })).body.text()
        process.stdin.once('data', () => process.exit())
      })
    `
    const child = spawn(process.execPath, ['--input-type=module', '--eval', source], { cwd: projectPath() })
    onTestFinished(() => void child.kill('SIGKILL'))
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    await until(() => stdout.endsWith('/\n') || stderr !== '')
    expect(stderr).toBe('')
    const url = stdout.trim()
    const reader = await Reader.open(url)
    child.stdin.write('go\n')
    await until(() => reader.records.length === 10)
    expect(reader.records.map(({ pool: { id, name }, event }) => `${id} ${name} ${event}`)).toEqual(
      ['1 esm', '2 cjs'].flatMap((pool) =>
        ['wait', 'dial', 'open', 'active', 'idle'].map((event) => `${pool} ${event}`),
      ),
    )
    const { process: seen, pools } = await stateOf(url)
    expect(seen.pid).toBe(child.pid)
    expect(pools.map(({ pool, stats }) => [pool.name, stats.idle, stats.requests])).toEqual([
      ['esm', 1, 1],
      ['cjs', 1, 1],
    ])
    const ended = once(child, 'close')
    child.stdin.write('end\n')
    await ended
    await until(() => reader.ended)
  })

  it('that ends by itself has written its whole log', async () => {
    const { origin } = await testServer({ keepAliveTimeout: 0 })
    const directory = mkdtempSync(join(tmpdir(), 'keepwise-log-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const file = join(directory, 'log.ndjson')
    const source = `
      const { createWriteStream } = require('node:fs')
      const { createPool } = require('keepwise')
      const { record } = require('keepwise/watch')
      record(createWriteStream(${JSON.stringify(file)}))
      const pool = createPool()
      pool.dispatcher.request({ origin: ${JSON.stringify(origin)}, path: '/', method: 'GET' })
        .then(({ body }) => body.text()).then(() => pool.close())
    `
    const { code, stderr } = await runOnNode(20, { source, type: 'commonjs' }, { timeout: 6_000 })
    expect([code, stderr]).toEqual([0, ''])
    const { records, reader } = parse(readFileSync(file, 'utf8'))
    expect(reader.bad).toBe(0)
    expect(records.map(({ event }) => event)).toEqual(['wait', 'dial', 'open', 'active', 'idle', 'close'])
  })
})
