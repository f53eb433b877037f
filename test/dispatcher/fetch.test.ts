import type http from 'node:http'
import { gzipSync } from 'node:zlib'
import * as undici from 'undici'
import { describe, expect, it } from 'vitest'
import { books, quietBooks, testPool, testServer, until } from './support.js'

/** The same fetch twice: the one built into Node, with an undici of its own, and the one of the package. */
const fetches = [
  ['the built-in fetch', globalThis.fetch as unknown as typeof undici.fetch, globalThis.FormData],
  ["undici's fetch", undici.fetch, undici.FormData],
] as const

const service: http.RequestListener = (request, response) => {
  const { pathname } = new URL(request.url!, 'http://test')
  switch (pathname) {
    case '/redirect':
      response.writeHead(302, { location: '/echo' }).end('gone there')
      return
    case '/redirect-post':
      request.resume().on('end', () => response.writeHead(307, { location: '/echo' }).end())
      return
    case '/gzip':
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('unpacked'))
      return
    case '/slow':
      response.write('beginning')
      return
    case '/headers':
      response.end(JSON.stringify(request.headers))
      return
    case '/204':
      response.writeHead(204).end()
      return
    case '/500':
      response.writeHead(500, 'Broken').end('trouble')
      return
    default:
      response.setHeader('x-method', request.method!)
      response.setHeader('x-type', request.headers['content-type'] ?? '')
      request.pipe(response)
  }
}

describe.each(fetches)('%s', (_, fetch, FormData) => {
  it('gets, twice on one connection', async () => {
    const { origin } = await testServer(service)
    const pool = testPool()
    for (let n = 0; n < 2; n++) {
      const response = await fetch(`${origin}/echo`, { dispatcher: pool.dispatcher })
      expect(response.status).toBe(200)
      expect(response.headers.get('x-method')).toBe('GET')
      expect(await response.text()).toBe('')
    }
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })

  it('posts a string', async () => {
    const { origin } = await testServer(service)
    const pool = testPool()
    const response = await fetch(`${origin}/echo`, { dispatcher: pool.dispatcher, method: 'POST', body: 'wörter' })
    expect(response.headers.get('x-type')).toBe('text/plain;charset=UTF-8')
    expect(await response.text()).toBe('wörter')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('posts a stream', async () => {
    const { origin } = await testServer(service)
    const pool = testPool()
    const body = ReadableStream.from(['one ', 'two'].map((word) => new TextEncoder().encode(word)))
    const response = await fetch(`${origin}/echo`, {
      dispatcher: pool.dispatcher,
      method: 'POST',
      body: body as never,
      duplex: 'half',
    })
    expect(await response.text()).toBe('one two')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('posts form data', async () => {
    const { origin } = await testServer(service)
    const pool = testPool()
    const form = new FormData()
    form.set('field', 'value')
    form.set('file', new Blob(['content'], { type: 'text/plain' }), 'name.txt')
    const response = await fetch(`${origin}/echo`, { dispatcher: pool.dispatcher, method: 'POST', body: form as never })
    expect(response.headers.get('x-type')).toMatch(/^multipart\/form-data; boundary=/)
    const text = await response.text()
    expect(text).toContain('name="field"\r\n\r\nvalue')
    expect(text).toContain('filename="name.txt"')
    expect(text).toContain('content')
  })

  it('follows redirects on the same connection', async () => {
    const { origin } = await testServer(service)
    const pool = testPool()
    const response = await fetch(`${origin}/redirect`, { dispatcher: pool.dispatcher })
    expect(response.redirected).toBe(true)
    expect(response.url).toBe(`${origin}/echo`)
    await response.text()
    const posted = await fetch(`${origin}/redirect-post`, {
      dispatcher: pool.dispatcher,
      method: 'POST',
      body: 'again',
    })
    expect(await posted.text()).toBe('again')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 4 }))
  })

  it('unpacks gzip', async () => {
    const { origin } = await testServer(service)
    const pool = testPool()
    const response = await fetch(`${origin}/gzip`, { dispatcher: pool.dispatcher })
    expect(await response.text()).toBe('unpacked')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('gives statuses without a body, and those of failures', async () => {
    const { origin } = await testServer(service)
    const pool = testPool()
    const empty = await fetch(`${origin}/204`, { dispatcher: pool.dispatcher })
    expect([empty.status, await empty.text()]).toEqual([204, ''])
    const failed = await fetch(`${origin}/500`, { dispatcher: pool.dispatcher })
    expect([failed.status, failed.statusText, await failed.text()]).toEqual([500, 'Broken', 'trouble'])
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })

  it('rejects at once when its signal has already aborted, and takes no connection', async () => {
    const { origin } = await testServer(service)
    const pool = testPool()
    const signal = AbortSignal.abort()
    await expect(fetch(origin, { dispatcher: pool.dispatcher, signal })).rejects.toMatchObject({ name: 'AbortError' })
    expect(books(pool)).toEqual(quietBooks({}))
  })

  it('aborts under way as it does without the pool, and closes the connection', async () => {
    const { origin } = await testServer(service)
    const pool = testPool()
    const errorOf = async (init: undici.RequestInit): Promise<{ name: string; message: string }> => {
      const controller = new AbortController()
      const response = await fetch(`${origin}/slow`, { ...init, signal: controller.signal })
      controller.abort(new Error('enough'))
      const { name, message } = await response.text().then(unexpected, (error: Error) => error)
      return { name, message }
    }
    expect(await errorOf({ dispatcher: pool.dispatcher })).toEqual(await errorOf({}))
    await until(() => pool.stats().active === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
  })

  it('aborts the response when its body is cancelled', async () => {
    const { origin } = await testServer(service)
    const pool = testPool()
    const response = await fetch(`${origin}/slow`, { dispatcher: pool.dispatcher })
    await response.body?.cancel()
    await until(() => pool.stats().active === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
  })

  it('fails with the code and the cause of a refused connection', async () => {
    const { origin, close } = await testServer()
    await close()
    const pool = testPool()
    const failure = await fetch(origin, { dispatcher: pool.dispatcher }).catch((error: Error) => error)
    expect(failure).toBeInstanceOf(TypeError)
    expect(failure).toMatchObject({
      message: 'fetch failed',
      cause: { code: 'ECONNREFUSED', syscall: 'connect', cause: { code: 'ERR_KEEPWISE_CONNECT' } },
    })
    expect(books(pool)).toEqual(quietBooks({}))
  })

  it('sends nothing of its own: the headers are those of fetch without the pool', async () => {
    const { origin } = await testServer(service)
    const pool = testPool()
    const through = await (await fetch(`${origin}/headers`, { dispatcher: pool.dispatcher })).json()
    const without = await (await fetch(`${origin}/headers`)).json()
    expect(through).toEqual(without)
  })
})

function unexpected(text: string): never {
  throw new Error(`the response was complete: ${text}`)
}
