import type http from 'node:http'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect } from 'vitest'
import { NODE_MAJORS, runOnNode } from '../support/nodes.js'
import { itWith } from '../support/requirements.js'
import { builtPackage, testServer } from './support.js'

beforeAll(builtPackage)

const service: http.RequestListener = (request, response) => {
  switch (request.url) {
    case '/redirect':
      response.writeHead(302, { location: '/echo' }).end()
      return
    case '/gzip':
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('unpacked'))
      return
    case '/endless':
      response.write('beginning')
      return
    default:
      response.setHeader('x-method', request.method!)
      request.pipe(response)
  }
}

/**
 * Exercises the built-in fetch and prints what came of it. `through` says how the pool is reached: as the `dispatcher`
 * option, or installed.
 */
const program = (origin: string, dead: string, through: 'dispatcher' | 'install'): string => `
  import { createPool } from 'keepwise'
  const through = ${JSON.stringify(through)}
  const origin = ${JSON.stringify(origin)}
  const dead = ${JSON.stringify(dead)}
  const pool = createPool({ maxConnections: 4 })
  const restore = through === 'install' ? pool.install() : undefined
  const get = (path, init) =>
    fetch(origin + path, { ...init, ...(through === 'dispatcher' ? { dispatcher: pool.dispatcher } : {}) })
  const seen = {}

  let response = await get('/echo')
  seen.get = [response.status, response.headers.get('x-method'), await response.text()]

  response = await get('/echo', { method: 'POST', body: 'a string' })
  seen.string = await response.text()

  const words = new ReadableStream({
    start(controller) {
      for (const word of ['a ', 'stream']) controller.enqueue(new TextEncoder().encode(word))
      controller.close()
    },
  })
  response = await get('/echo', { method: 'POST', body: words, duplex: 'half' })
  seen.stream = await response.text()

  const form = new FormData()
  form.set('field', 'value')
  response = await get('/echo', { method: 'POST', body: form })
  seen.form = (await response.text()).includes('name="field"\\r\\n\\r\\nvalue')

  response = await get('/redirect')
  seen.redirect = [response.redirected, response.url === origin + '/echo', await response.text()]

  response = await get('/gzip')
  seen.gzip = await response.text()

  seen.parallel = (await Promise.all(Array.from({ length: 20 }, async () => (await get('/echo')).text()))).length
  const before = pool.stats()

  seen.aborted = await get('/echo', { signal: AbortSignal.abort() }).catch((error) => error.name)
  const controller = new AbortController()
  response = await get('/endless', { signal: controller.signal })
  const reading = response.text().catch((error) => error.name)
  controller.abort()
  seen.abortedLater = await reading

  const failure = await fetch(dead, through === 'dispatcher' ? { dispatcher: pool.dispatcher } : {}).catch((error) => error)
  seen.refused = [failure.name, failure.cause.code, failure.cause.cause.code]

  seen.sequential = await (async () => {
    const { opened } = pool.stats()
    for (let n = 0; n < 20; n++) await (await get('/echo')).text()
    return pool.stats().opened - opened
  })()

  const after = pool.stats()
  seen.books = {
    opened: before.opened,
    requests: before.requests,
    closed: before.opened - before.idle,
    aborted: after.closed.aborted,
    active: after.active,
    waiting: after.waiting,
    pending: after.pending,
  }
  if (restore !== undefined) {
    restore()
    await (await fetch(origin + '/echo')).text()
    seen.restored = pool.stats().requests === after.requests
  }
  await pool.close()
  console.log(JSON.stringify(seen))
`

describe.each(['dispatcher', 'install'] as const)('the built-in fetch through %s', (through) => {
  for (const major of NODE_MAJORS)
    itWith(`node${major}`, `of Node ${major} does all that it does`, async () => {
      const { origin, connections } = await testServer(service)
      const dead = await testServer()
      await dead.close()
      const { code, stdout, stderr } = await runOnNode(major, { source: program(origin, dead.origin, through) })
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const seen = JSON.parse(stdout)
      expect(seen).toEqual({
        get: [200, 'GET', ''],
        string: 'a string',
        stream: 'a stream',
        form: true,
        redirect: [true, true, ''],
        gzip: 'unpacked',
        parallel: 20,
        aborted: 'AbortError',
        abortedLater: 'AbortError',
        refused: ['TypeError', 'ECONNREFUSED', 'ERR_KEEPWISE_CONNECT'],
        sequential: 0,
        books: { opened: 4, requests: 27, closed: 0, aborted: 1, active: 0, waiting: 0, pending: 0 },
        ...(through === 'install' ? { restored: true } : {}),
      })
      // Four of the pool, one aborted and replaced, and after restore() one that is not the pool's.
      expect(connections).toHaveLength(through === 'install' ? 5 : 4)
    })
})
