import { beforeAll, describe, expect, it } from 'vitest'
import { type RunResult, runOnNode } from '../support/nodes.js'
import { testCertificates } from '../support/tls.js'
import { builtPackage, testServer } from './support.js'

beforeAll(builtPackage)

/** Runs a program in a process of its own; it has to end by itself. */
function run(body: string, origin: string): Promise<RunResult> {
  const source = `
    import { createPool } from 'keepwise'
    const origin = ${JSON.stringify(origin)}
    const ca = ${JSON.stringify(origin.startsWith('https:') ? testCertificates().ca : '')}
    const get = async (pool, path = '/') =>
      (await pool.dispatcher.request({ origin, path, method: 'GET' })).body.text()
    ${body}
  `
  return runOnNode(20, { source }, { timeout: 5000 })
}

describe('a process', () => {
  it.each([
    ['a pool that was never used', `createPool()`],
    ['an idle pool', `const pool = createPool({ connect: { ca } }); console.log(await get(pool))`],
    [
      'an idle pool with several connections',
      `const pool = createPool({ connect: { ca } });
       await Promise.all([get(pool), get(pool), get(pool)]); await get(pool); console.log('ok')`,
    ],
    [
      'connections that were opened ahead and never used',
      `const pool = createPool({ connect: { ca } }); console.log(await pool.warm(origin, 2) === 2 ? 'ok' : 'too few')`,
    ],
    [
      'a connection that was opened ahead and then used',
      `const pool = createPool({ connect: { ca } }); await pool.warm(origin); console.log(await get(pool))`,
    ],
    [
      'an idle pool after a request was aborted before it was written',
      `const pool = createPool({ connect: { ca } })
       await get(pool)
       const controller = new AbortController()
       const aborted = pool.dispatcher.request({ origin, path: '/', method: 'GET', signal: controller.signal })
       controller.abort()
       await aborted.catch((error) => console.log(error.name === 'AbortError' ? 'ok' : error))`,
    ],
  ])('with %s ends, over http and https', async (name, body) => {
    const runs = [false, true].map(async (tls) => {
      const { origin } = await testServer({ tls, keepAliveTimeout: 0 })
      return run(body, origin)
    })
    const stdout = name === 'a pool that was never used' ? '' : 'ok\n'
    for (const result of await Promise.all(runs)) expect(result).toMatchObject({ code: 0, stdout, stderr: '' })
  })

  it('stays until its requests are done, on new, kept and warmed connections', async () => {
    const { origin } = await testServer((_, response) => void setTimeout(() => response.end('slow'), 100))
    const { code, stdout } = await run(
      `const pool = createPool({ maxConnections: 1 })
       const print = (text) => process.stdout.write(text + ' ')
       void get(pool).then(print).then(() => get(pool)).then(print)
       const warmed = createPool()
       await warmed.warm(origin)
       void get(warmed).then(print)
       void get(pool).then(print)`,
      origin,
    )
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'slow '.repeat(4) })
  })
})
