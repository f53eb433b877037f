/** `NODE_DEBUG=keepwise`, in a process of its own, against the built package. */
import { beforeAll, describe, expect, it } from 'vitest'
import { builtPackage, testServer } from '../dispatcher/support.js'
import { type RunResult, runOnNode } from '../support/nodes.js'

beforeAll(builtPackage)

const imports = {
  module: `import { createPool } from 'keepwise'`,
  commonjs: `const { createPool } = require('keepwise')`,
}

/** Two requests over one connection, which is closed then. */
const life = `
  async function live(createPool, origin, options) {
    const pool = createPool(options)
    for (let i = 0; i < 2; i++) await (await pool.dispatcher.request({ origin, path: '/', method: 'GET' })).body.text()
    await pool.close()
  }
`

function run(type: keyof typeof imports, body: string, debug: string | undefined): Promise<RunResult> {
  const source = `${imports[type]}\n${life}\n${body}`
  return runOnNode(20, { source, type }, { env: { NODE_DEBUG: debug }, timeout: 8_000 })
}

/** The lines, without the number of the process, the times and the port of this end. */
function linesOf({ stderr }: RunResult): string[] {
  return stderr
    .trimEnd()
    .split('\n')
    .map((line) =>
      line
        .replace(/^KEEPWISE \d+: /, 'KEEPWISE: ')
        .replace(/\d+(\.\d+)? (ms|s)/g, 'T')
        .replace(/:\d+ >/, ':P >'),
    )
}

const linesOfLife = (origin: string, pool: string): string[] => {
  const connection = `KEEPWISE: ${pool} #1 ${origin}`
  return [
    `KEEPWISE: ${pool} ${origin} wait, 1 waiting`,
    `KEEPWISE: ${pool} ${origin} dial 1`,
    `${connection} open by dial 1 in T, :P > ${origin.replace('http://', '')}`,
    `${connection} active new, request 1, waited T`,
    `${connection} idle, 1 request`,
    `${connection} active reused, request 2`,
    `${connection} idle, 2 requests`,
    `${connection} close pool-closed, 2 requests`,
  ]
}

describe.each(['module', 'commonjs'] as const)('NODE_DEBUG, of a %s', (type) => {
  it('prints the life of a connection, a line for each event', async () => {
    const { origin } = await testServer({ keepAliveTimeout: 0 })
    const result = await run(type, `live(createPool, ${JSON.stringify(origin)}, { name: 'billing' })`, 'http,KeepWise')
    expect(result).toMatchObject({ code: 0, stdout: '' })
    // How long it idled may round to nothing.
    const ours = linesOf(result).filter((line) => line.startsWith('KEEPWISE'))
    expect(ours.map((line) => line.replace(/(close \S+, 2 requests).*/, '$1'))).toEqual(linesOfLife(origin, 'billing'))
  })

  it('prints nothing where it is something else', async () => {
    const { origin } = await testServer({ keepAliveTimeout: 0 })
    const body = `live(createPool, ${JSON.stringify(origin)})`
    for (const { code, stderr } of await Promise.all([undefined, 'http'].map((debug) => run(type, body, debug)))) {
      expect(code).toBe(0)
      expect(stderr).not.toContain('KEEPWISE')
    }
  })
})

it('prints no line twice where the package is loaded as both, and tells their pools apart', async () => {
  const { origin } = await testServer({ keepAliveTimeout: 0 })
  const body = `
    import { createRequire } from 'node:module'
    const other = createRequire(import.meta.url)('keepwise')
    if (other.createPool === createPool) throw new Error('not two copies')
    await live(createPool, ${JSON.stringify(origin)})
    await live(other.createPool, ${JSON.stringify(origin)})
  `
  const result = await run('module', body, 'keepwise')
  expect(result).toMatchObject({ code: 0, stdout: '' })
  expect(linesOf(result).map((line) => line.replace(/(close \S+, 2 requests).*/, '$1'))).toEqual([
    ...linesOfLife(origin, 'default'),
    ...linesOfLife(origin, 'default/2'),
  ])
})

it('is found in it with the same word as the event has', async () => {
  const { origin } = await testServer((request) => void request.socket.resetAndDestroy())
  const body = `
    const pool = createPool()
    pool.on('close', ({ reason }) => console.log(reason))
    pool.dispatcher.request({ origin: ${JSON.stringify(origin)}, path: '/', method: 'POST' }).catch(() => {})
  `
  const { stdout, stderr } = await run('module', body, 'keepwise')
  expect(stdout).toBe('reset\n')
  expect(stderr).toMatch(/^KEEPWISE \d+: default #1 \S+ close reset, 1 request, age .*, ECONNRESET: read ECONNRESET$/m)
})
