/**
 * What responses say of their connection, and that it is so: the idle time, the requests that remain, and the last one.
 */
import { describe, expect, it } from 'vitest'
import { type Announcer, announcerOfThisNode, constant, countingDown, works } from '../../src/server/announce.js'
import { itWith } from '../support/requirements.js'
import type { Handler } from '../support/servers/node.js'
import { exchange, get, hintOf, responsesOf, withKept } from './support.js'

describe('responses', () => {
  it('say how long the connection may idle and how many requests remain; the last one says close, and is', async () => {
    await withKept({ keep: { timeout: 7_900, max: 3 } }, async ({ connect, keeper, requestCount }) => {
      const client = await connect()
      for (let i = 0; i < 3; i++) await exchange(client, get())
      await client.until(({ ended }) => ended)
      expect(responsesOf(client).map(hintOf)).toEqual([
        'keep-alive timeout=7, max=2',
        'keep-alive timeout=7, max=1',
        'close',
      ])
      expect(requestCount()).toBe(3)
      expect(keeper.stats()).toMatchObject({ accepted: 1, requests: 3, reused: 2, exhausted: 1, refused: 0 })
    })
  })

  itWith('openssl', 'say so over TLS', async () => {
    await withKept({ tls: true, keep: { timeout: 7_000, max: 2 } }, async ({ connect }) => {
      const client = await connect()
      await exchange(client, get())
      await exchange(client, get())
      await client.until(({ ended }) => ended)
      expect(responsesOf(client).map(hintOf)).toEqual(['keep-alive timeout=7, max=1', 'close'])
    })
  })

  it('count for each connection by itself', async () => {
    await withKept({ keep: { timeout: 7_000, max: 5 } }, async ({ connect }) => {
      const [one, other] = [await connect(), await connect()]
      await exchange(one, get())
      await exchange(one, get())
      await exchange(other, get())
      expect(responsesOf(one).map(hintOf)).toEqual(['keep-alive timeout=7, max=4', 'keep-alive timeout=7, max=3'])
      expect(responsesOf(other).map(hintOf)).toEqual(['keep-alive timeout=7, max=4'])
    })
  })

  it('name no max where there is none, and no time where there is none', async () => {
    await withKept({ keep: { timeout: 7_000 } }, async ({ connect }) => {
      const client = await connect()
      await exchange(client, get())
      expect(responsesOf(client).map(hintOf)).toEqual(['keep-alive timeout=7'])
    })
    await withKept({ keep: { timeout: Infinity } }, async ({ connect }) => {
      const client = await connect()
      await exchange(client, get())
      expect(responsesOf(client).map(hintOf)).toEqual(['keep-alive'])
    })
  })

  it("keep the server's own settings where no options are given", async () => {
    await withKept({ keepAliveTimeout: 12_000, maxRequestsPerSocket: 2 }, async ({ connect }) => {
      const client = await connect()
      await exchange(client, get())
      await exchange(client, get())
      await client.until(({ ended }) => ended)
      expect(responsesOf(client).map(hintOf)).toEqual(['keep-alive timeout=12, max=1', 'close'])
    })
  })

  it('say close, and nothing of a time, where the client has said it', async () => {
    await withKept({ keep: { timeout: 7_000, max: 9 } }, async ({ connect }) => {
      const client = await connect()
      await exchange(client, get('/', 'connection: close'))
      await client.until(({ ended }) => ended)
      expect(responsesOf(client).map(hintOf)).toEqual(['close'])
    })
  })

  it("say what the handler has said: its own Connection and Keep-Alive come before the server's", async () => {
    const said: Record<string, Record<string, string>> = {
      '/close': { Connection: 'close' },
      '/keep': { Connection: 'keep-alive' },
      '/own': { 'Keep-Alive': 'timeout=99' },
    }
    const handler: Handler = (request, response) =>
      void response.writeHead(200, { 'content-length': 2, ...said[request.url ?? ''] }).end('ok')
    await withKept({ handler, keep: { timeout: 7_000, max: 9 } }, async ({ connect }) => {
      const client = await connect()
      for (const path of ['/keep', '/own', '/', '/close']) await exchange(client, get(path))
      await client.until(({ ended }) => ended)
      expect(responsesOf(client).map(hintOf)).toEqual([
        'keep-alive',
        'keep-alive timeout=99',
        'keep-alive timeout=7, max=6',
        'close',
      ])
    })
  })

  it('are answered one more time where a handler has said keep-alive on the last one', async () => {
    const handler: Handler = ({ url }, response) => {
      if (url === '/keep') response.setHeader('Connection', 'keep-alive')
      response.end('ok')
    }
    await withKept({ handler, keep: { timeout: 7_000, max: 2 } }, async ({ connect }) => {
      const client = await connect()
      for (const path of ['/', '/keep', '/']) await exchange(client, get(path))
      await client.until(({ ended }) => ended)
      expect(responsesOf(client).map(hintOf)).toEqual(['keep-alive timeout=7, max=1', 'keep-alive', 'close'])
    })
  })

  it.each([
    ['asks for keep-alive and gets a length', 'connection: keep-alive', 5, ['keep-alive timeout=7, max=8']],
    ['asks for keep-alive and gets no length', 'connection: keep-alive', undefined, ['close']],
    ['asks for nothing', 'accept: */*', 5, ['close']],
  ])('keep a connection of HTTP/1.0 only where it %s', async (_, header, length, hints) => {
    const handler: Handler = (_request, response) => {
      if (length !== undefined) response.setHeader('content-length', length)
      response.write('hi ')
      response.end('ok')
    }
    await withKept({ handler, keep: { timeout: 7_000, max: 9 } }, async ({ connect }) => {
      const client = await connect()
      await exchange(client, `GET / HTTP/1.0\r\n${header}\r\n\r\n`)
      if (hints[0] === 'close') await client.until(({ ended }) => ended)
      expect(responsesOf(client).map(hintOf)).toEqual(hints)
      expect(responsesOf(client)[0]?.body).toBe('hi ok')
    })
  })

  it('count requests of HTTP/1.0 as well', async () => {
    const handler: Handler = (_, response) => void response.setHeader('content-length', 2).end('ok')
    await withKept({ handler, keep: { timeout: 7_000, max: 2 } }, async ({ connect }) => {
      const client = await connect()
      const request = 'GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n'
      await exchange(client, request)
      await exchange(client, request)
      await client.until(({ ended }) => ended)
      expect(responsesOf(client).map(hintOf)).toEqual(['keep-alive timeout=7, max=1', 'close'])
    })
  })

  it('say so without a body too: HEAD, 204, 304', async () => {
    const handler: Handler = ({ url }, response) => void response.writeHead(Number(url?.slice(1))).end()
    await withKept({ handler, keep: { timeout: 7_000, max: 9 } }, async ({ connect }) => {
      const client = await connect()
      await exchange(client, get('/200').replace('GET', 'HEAD'), '\r\n\r\n')
      await exchange(client, get('/204'), '\r\n\r\n')
      await exchange(client, get('/304'), '\r\n\r\n')
      expect(responsesOf(client, [0]).map((each) => [each.status, hintOf(each)])).toEqual([
        [200, 'keep-alive timeout=7, max=8'],
        [204, 'keep-alive timeout=7, max=7'],
        [304, 'keep-alive timeout=7, max=6'],
      ])
    })
  })

  it('to a request with Expect are counted once, however its handler passes it on', async () => {
    await withKept({ keep: { timeout: 7_000, max: 9 } }, async ({ server, connect, keeper }) => {
      server.on('checkContinue', (request, response) => {
        response.writeContinue()
        if (request.url === '/itself') response.end('ok')
        else setImmediate(() => server.emit('request', request, response))
      })
      const client = await connect()
      await exchange(client, `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\nhi`)
      await exchange(client, get())
      expect(responsesOf(client).map((each) => [each.status, hintOf(each)])).toEqual([
        [100, ''],
        [200, 'keep-alive timeout=7, max=8'],
        [200, 'keep-alive timeout=7, max=7'],
      ])
      expect(keeper.stats()).toMatchObject({ requests: 2, reused: 1 })
      await exchange(client, get('/itself', 'expect: 100-continue'))
      expect(hintOf(responsesOf(client).at(-1)!)).toBe('keep-alive timeout=7, max=6')
    })
  })

  it('to a request with an expectation that only its handler knows are counted, too', async () => {
    await withKept({ keep: { timeout: 7_000, max: 9 } }, async ({ server, connect }) => {
      server.on('checkExpectation', (_, response) => response.end('ok'))
      const client = await connect()
      await exchange(client, get('/', 'expect: the-unexpected'))
      expect(responsesOf(client).map(hintOf)).toEqual(['keep-alive timeout=7, max=8'])
    })
  })

  it('close the connection where Node says so: a request that makes no sense', async () => {
    await withKept({ keep: { timeout: 7_000, max: 9 } }, async ({ connect }) => {
      const client = await connect()
      await exchange(client, get())
      client.send('NONSENSE\r\n\r\n')
      await client.until(({ ended }) => ended)
      expect(responsesOf(client).map((each) => [each.status, hintOf(each)])).toEqual([
        [200, 'keep-alive timeout=7, max=8'],
        [400, 'close'],
      ])
    })
  })
})

describe('pipelined requests', () => {
  it('are answered in order, each with what remains, though the last to be answered was the first to be handled', async () => {
    const handler: Handler = ({ url }, response) =>
      void setTimeout(() => response.end(`${url}ok`), url === '/1' ? 30 : 0)
    await withKept({ handler, keep: { timeout: 7_000, max: 4 } }, async ({ connect, keeper }) => {
      const client = await connect()
      await exchange(client, get('/1') + get('/2') + get('/3'), '/3ok')
      expect(responsesOf(client).map(({ body }) => body)).toEqual(['/1ok', '/2ok', '/3ok'])
      expect(responsesOf(client).map(hintOf)).toEqual([3, 2, 1].map((max) => `keep-alive timeout=7, max=${max}`))
      expect(keeper.stats()).toMatchObject({ idle: 1, active: 0, requests: 3 })
    })
  })

  it('behind the last one reach no handler', async () => {
    const handled: (string | undefined)[] = []
    const handler: Handler = ({ url }, response) => {
      handled.push(url)
      setTimeout(() => response.end('ok'), 20)
    }
    await withKept({ handler, keep: { timeout: 7_000, max: 2 } }, async ({ connect, keeper }) => {
      const client = await connect()
      client.send(['/1', '/2', '/3', '/4'].map((path) => get(path)).join(''))
      await client.until(({ ended }) => ended)
      expect(handled).toEqual(['/1', '/2'])
      expect(responsesOf(client).map(hintOf)).toEqual(['keep-alive timeout=7, max=1', 'close'])
      expect(client.error).toBeUndefined()
      expect(keeper.stats()).toMatchObject({ requests: 2, refused: 2 })
    })
  })

  it('behind the last one end the connection even where its handler has said keep-alive', async () => {
    const handler: Handler = (_, response) =>
      void setTimeout(() => response.setHeader('Connection', 'keep-alive').end('ok'), 20)
    await withKept({ handler, keep: { timeout: 7_000, max: 1 } }, async ({ connect }) => {
      const client = await connect()
      client.send(get() + get())
      await client.until(({ ended }) => ended)
      expect(responsesOf(client).map(hintOf)).toEqual(['keep-alive'])
    })
  })
})

describe('a connection that is upgraded', () => {
  it("is its new owner's: not closed, not counted as idle, and its errors reach whoever has it", async () => {
    const errors: NodeJS.ErrnoException[] = []
    let listeners = Number.NaN
    await withKept({ keep: { timeout: 1, buffer: 0, max: 1 } }, async ({ server, connect, keeper }) => {
      server.on('upgrade', (_request, socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n')
        socket.on('data', (data: Buffer) => socket.write(data))
        listeners = socket.listenerCount('error')
        socket.on('error', (error) => errors.push(error))
      })
      const client = await connect()
      await exchange(client, get('/', 'connection: upgrade', 'upgrade: echo'), '\r\n\r\n')
      expect(keeper.stats()).toMatchObject({ upgraded: 1, idle: 0, active: 0, requests: 1 })
      await new Promise((resolve) => setTimeout(resolve, 100))
      await exchange(client, 'still here', 'still here')
      client.socket.resetAndDestroy()
      await expect.poll(() => keeper.stats().upgraded).toBe(0)
      expect(listeners).toBe(0)
      expect(errors.map(({ code }) => code)).toEqual(['ECONNRESET'])
    })
  })

  it('is so by CONNECT as well, and not behind the last request of a connection', async () => {
    const tunnels: (string | undefined)[] = []
    const handler: Handler = (_, response) => void setTimeout(() => response.end('ok'), 20)
    await withKept({ handler, keep: { timeout: 7_000, max: 1 } }, async ({ server, connect, keeper }) => {
      server.on('connect', ({ url }, socket) => {
        tunnels.push(url)
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
      })
      const request = 'CONNECT far.test:443 HTTP/1.1\r\nhost: far.test\r\n\r\n'
      const client = await connect()
      await exchange(client, request, '\r\n\r\n')
      expect(keeper.stats()).toMatchObject({ upgraded: 1, requests: 1 })
      const other = await connect()
      other.send(get() + request)
      await other.until(({ ended }) => ended)
      expect(responsesOf(other).map(hintOf)).toEqual(['close'])
      expect(tunnels).toEqual(['far.test:443'])
      expect(keeper.stats()).toMatchObject({ upgraded: 1, requests: 2, refused: 1 })
    })
  })
})

describe('how Node is told', () => {
  it('is by counting down on this Node', () => {
    expect(works(countingDown)).toBe(true)
    expect(announcerOfThisNode()).toBe(countingDown)
  })

  it('is found out by trying: an announcer that has no effect, or throws, does not work', () => {
    const broken: Announcer = {
      ...countingDown,
      keep: () => {
        throw new Error('no such field')
      },
    }
    expect(works({ ...countingDown, keep: () => {} })).toBe(false)
    expect(works({ ...countingDown, close: () => {} })).toBe(false)
    expect(works(broken)).toBe(false)
    expect(works(constant)).toBe(false)
  })

  it('is, where Node is not as known, by what it documents: the total instead of what remains, and the truth all the same', async () => {
    const handled: (string | undefined)[] = []
    const handler: Handler = ({ url }, response) => {
      handled.push(url)
      if (url === '/close') response.setHeader('Connection', 'close')
      response.end('ok')
    }
    const keep = { timeout: 7_900, max: 3 }
    await withKept({ handler, keep, tools: { announcer: constant } }, async ({ connect, keeper }) => {
      const client = await connect()
      client.send(['/1', '/2', '/3', '/4'].map((path) => get(path)).join(''))
      await client.until(({ ended }) => ended)
      expect(responsesOf(client).map(hintOf)).toEqual([
        'keep-alive timeout=7, max=3',
        'keep-alive timeout=7, max=3',
        'close',
      ])
      const other = await connect()
      await exchange(other, get('/close'))
      await other.until(({ ended }) => ended)
      expect(responsesOf(other).map(hintOf)).toEqual(['close'])
      expect(handled).toEqual(['/1', '/2', '/3', '/close'])
      expect(keeper.stats()).toMatchObject({ requests: 4, exhausted: 1 })
    })
  })

  it('promises nothing by these means either where there is no limit', async () => {
    await withKept({ keep: { timeout: Infinity }, tools: { announcer: constant } }, async ({ connect }) => {
      const client = await connect()
      await exchange(client, get())
      expect(responsesOf(client).map(hintOf)).toEqual(['keep-alive'])
    })
  })
})
