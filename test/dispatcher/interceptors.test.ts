import { gzipSync } from 'node:zlib'
import { interceptors } from 'undici'
import { describe, expect, it } from 'vitest'
import { books, quietBooks, testPool, testServer, until } from './support.js'

describe('a composed dispatcher', () => {
  it('retries what failed, on the pool', async () => {
    let failures = 0
    const { origin, requestCount } = await testServer((_, response) => {
      if (failures++ < 2) response.writeHead(503).end('not yet')
      else response.end('now')
    })
    const pool = testPool()
    const dispatcher = pool.dispatcher.compose(interceptors.retry({ minTimeout: 5, maxRetries: 3 }))
    const { statusCode, body } = await dispatcher.request({ origin, path: '/', method: 'GET' })
    expect([statusCode, await body.text()]).toEqual([200, 'now'])
    expect(requestCount()).toBe(3)
    expect(books(pool)).toMatchObject({ active: 0, pending: 0, requests: 3 })
  })

  it('resumes a response that was cut short', async () => {
    const { origin } = await testServer((request, response) => {
      const { range } = request.headers
      if (range === undefined) {
        response.writeHead(200, { 'content-length': 10, etag: '"one"' })
        response.write('01234')
        setTimeout(() => request.socket.destroy(), 20)
      } else {
        response.writeHead(206, { 'content-range': 'bytes 5-9/10', 'content-length': 5, etag: '"one"' }).end('56789')
      }
    })
    const pool = testPool()
    const dispatcher = pool.dispatcher.compose(interceptors.retry({ minTimeout: 5 }))
    const { body } = await dispatcher.request({ origin, path: '/', method: 'GET' })
    expect(await body.text()).toBe('0123456789')
    expect(books(pool)).toMatchObject({ active: 0, idle: 1, pending: 0, opened: 2, requests: 2 })
  })

  it('follows redirects, to another origin as well', async () => {
    const there = await testServer((request, response) => void response.end(`there: ${request.url}`))
    const here = await testServer((_, response) => {
      response.writeHead(302, { location: `${there.origin}/found` }).end()
    })
    const pool = testPool()
    const dispatcher = pool.dispatcher.compose(interceptors.redirect({ maxRedirections: 2 }))
    const { body } = await dispatcher.request({ origin: here.origin, path: '/', method: 'GET' })
    expect(await body.text()).toBe(`there: /found`)
    expect(Object.keys(pool.stats().origins).sort()).toEqual([here.origin, there.origin].sort())
    expect(books(pool)).toEqual(quietBooks({ idle: 2, opened: 2, requests: 2 }))
  })

  it('dumps a body, and keeps the connection', async () => {
    const { origin } = await testServer((_, response) => void response.end('x'.repeat(5000)))
    const pool = testPool()
    const dispatcher = pool.dispatcher.compose(interceptors.dump({ maxSize: 10_000 }))
    const { statusCode, body } = await dispatcher.request({ origin, path: '/', method: 'GET' })
    expect([statusCode, await body.text()]).toEqual([200, ''])
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('answers from its cache, without a request', async () => {
    const { origin, requestCount } = await testServer((_, response) => {
      response.setHeader('cache-control', 'max-age=60').end('kept')
    })
    const pool = testPool()
    const dispatcher = pool.dispatcher.compose(interceptors.cache())
    for (let n = 0; n < 3; n++) {
      const { body } = await dispatcher.request({ origin, path: '/', method: 'GET' })
      expect(await body.text()).toBe('kept')
    }
    expect(requestCount()).toBe(1)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('unpacks responses', async () => {
    const { origin } = await testServer((_, response) => {
      response.setHeader('content-encoding', 'gzip').end(gzipSync('unpacked'))
    })
    const pool = testPool()
    const dispatcher = pool.dispatcher.compose(interceptors.decompress())
    const { headers, body } = await dispatcher.request({ origin, path: '/', method: 'GET' })
    expect(await body.text()).toBe('unpacked')
    expect(headers['content-encoding']).toBeUndefined()
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('resolves names by itself, and keeps the Host header', async () => {
    const { port } = await testServer((request, response) => void response.end(request.headers.host))
    const pool = testPool()
    const asked: string[] = []
    const dispatcher = pool.dispatcher.compose(
      interceptors.dns({
        lookup: (origin, _, callback) => {
          asked.push(origin.hostname)
          callback(null, [{ address: '127.0.0.1', ttl: 60_000, family: 4 }])
        },
      }),
    )
    for (let n = 0; n < 2; n++) {
      const { body } = await dispatcher.request({ origin: `http://name.test:${port}`, path: '/', method: 'GET' })
      expect(await body.text()).toBe(`name.test:${port}`)
    }
    expect(asked).toEqual(['name.test'])
    expect(Object.keys(pool.stats().origins)).toEqual([`http://127.0.0.1:${port}`])
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })

  it('turns failing statuses into errors', async () => {
    const { origin } = await testServer((_, response) => void response.writeHead(404).end('nothing'))
    const pool = testPool()
    const dispatcher = pool.dispatcher.compose(interceptors.responseError())
    await expect(dispatcher.request({ origin, path: '/', method: 'GET' })).rejects.toMatchObject({ statusCode: 404 })
    await until(() => pool.stats().pending === 0)
    expect(books(pool)).toMatchObject({ active: 0, pending: 0, opened: 1, requests: 1 })
  })

  it('stacks several interceptors, the last one outermost', async () => {
    let failures = 0
    const { origin } = await testServer((request, response) => {
      if (request.url === '/') response.writeHead(301, { location: '/flaky' }).end()
      else if (failures++ === 0) response.writeHead(503).end()
      else response.setHeader('content-encoding', 'gzip').end(gzipSync('all of it'))
    })
    const pool = testPool()
    const dispatcher = pool.dispatcher.compose(
      interceptors.decompress(),
      interceptors.retry({ minTimeout: 5 }),
      interceptors.redirect({ maxRedirections: 1 }),
    )
    const { body } = await dispatcher.request({ origin, path: '/', method: 'GET' })
    expect(await body.text()).toBe('all of it')
  })

  it('still is the pool: it closes with it', async () => {
    const pool = testPool()
    const dispatcher = pool.dispatcher.compose(interceptors.retry())
    await pool.close()
    await expect(dispatcher.request({ origin: 'http://127.0.0.1:9', path: '/', method: 'GET' })).rejects.toMatchObject({
      code: 'ERR_KEEPWISE_CLOSED',
    })
  })
})
