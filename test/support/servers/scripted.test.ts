import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { oneConnectionAgent, plainRequest, RawClient } from '../raw-client.js'
import { describeWith } from '../requirements.js'
import {
  bytes,
  clientEnd,
  close,
  forever,
  halfClose,
  interim,
  repeat,
  request,
  requestHead,
  reset,
  respond,
  response,
  resumeReading,
  send,
  sendInPieces,
  silence,
  stopReading,
  until,
  wait,
} from './script-steps.js'
import { inOrder, startScripted, withScripted } from './scripted.js'

describe('a scripted server', () => {
  it('gives each connection its script, and repeats steps', async () => {
    const scripts = inOrder(
      [repeat(2, request(), respond({ body: 'first' })), close()],
      [forever(request(), respond({ body: 'second' }))],
    )
    await withScripted(scripts, async (server) => {
      const agent = oneConnectionAgent()
      const bodies: string[] = []
      for (let n = 0; n < 4; n++) {
        bodies.push((await plainRequest(server.origin, { agent })).body)
        // The agent must have seen the close of the first connection before its next request.
        if (n === 1) await expect.poll(() => Object.keys(agent.freeSockets)).toEqual([])
      }
      expect(bodies).toEqual(['first', 'first', 'second', 'second'])
      expect(server.connections.map((connection) => connection.requests.length)).toEqual([2, 2])
      agent.destroy()
    })
  })

  it('half-closes and goes on reading', async () => {
    await withScripted([request(), respond(), halfClose(), request(), wait(20)], async (server) => {
      const client = await RawClient.open(server.origin)
      client.get('/one')
      await client.until(({ ended }) => ended)
      client.get('/two')
      await expect.poll(() => server.connections[0]!.requests.map(({ target }) => target)).toEqual(['/one', '/two'])
      expect(client.error).toBeUndefined()
      client.socket.end()
      await client.until(({ closed }) => closed)
      expect(client.error).toBeUndefined()
    })
  })

  it('closes: FIN first, then RST in answer to what still comes', async () => {
    await withScripted([request(), respond(), close()], async (server) => {
      const client = await RawClient.open(server.origin)
      client.get()
      await client.until(({ ended }) => ended)
      expect(client.received).toBe(response())
      expect(client.error).toBeUndefined()
      client.get()
      await sleep(30)
      // The RST is here; a socket that has read to the end learns of it when it writes.
      client.get()
      await client.until(({ error }) => error?.code === 'ECONNRESET' || error?.code === 'EPIPE')
    })
  })

  it('resets', async () => {
    await withScripted([request(), reset()], async (server) => {
      const client = await RawClient.open(server.origin)
      client.get()
      await client.until(({ error }) => error?.code === 'ECONNRESET')
      expect(client.ended).toBe(false)
      expect(server.log.map(({ what }) => what)).toContain('reset')
    })
  })

  it('sends unsolicited bytes on an idle connection', async () => {
    await withScripted([request(), respond(), wait(20), send(response({ status: 408 }))], async (server) => {
      const client = await RawClient.open(server.origin)
      client.get()
      await client.until(({ received }) => received === response() + response({ status: 408 }))
      client.socket.destroy()
    })
  })

  it('never answers, and sees the client leave', async () => {
    await withScripted([silence()], async (server) => {
      const client = await RawClient.open(server.origin)
      client.get()
      await sleep(50)
      expect(client.received).toBe('')
      client.socket.resetAndDestroy()
      const connection = await server.connection(1)
      await connection.closed()
      expect(server.log.map(({ what }) => what)).toEqual(['open', 'received', 'reset', 'close'])
    })
  })

  it('answers before the body, with 1xx and in pieces', async () => {
    const early = [requestHead(), interim(100, 'Continue'), interim(103, 'Early Hints', { link: '</a>' })]
    await withScripted([...early, sendInPieces(response(), 5, 2)], async (server) => {
      const client = await RawClient.open(server.origin)
      client.send('POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\n')
      await client.until(({ received }) => received.endsWith(response()))
      expect(client.received).toMatch(
        /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 103 Early Hints\r\nlink: <\/a>\r\n\r\n/,
      )
      client.socket.destroy()
    })
  })

  it('sends HTTP/1.0, close-delimited and chunked bodies with trailers that node:http understands', async () => {
    const scripts = inOrder(
      [request(), respond({ version: '1.0', framing: 'none', body: 'old' }), close()],
      [request(), respond({ framing: 'chunked', body: 'new', trailers: { 'x-sum': '3' } }), clientEnd()],
      [request(), respond({ headers: { 'keep-alive': ['timeout=5', 'max=2'] } }), clientEnd()],
    )
    await withScripted(scripts, async ({ origin }) => {
      expect((await plainRequest(origin)).body).toBe('old')
      const chunked = await plainRequest(origin)
      expect([chunked.body, chunked.trailers]).toEqual(['new', { 'x-sum': '3' }])
      expect((await plainRequest(origin)).headers['keep-alive']).toBe('timeout=5, max=2')
    })
  })

  it('parses bodies with a length and in chunks, pipelined, and their trailers', async () => {
    await withScripted([request(), request(), request(), respond()], async (server) => {
      const client = await RawClient.open(server.origin)
      client.send('POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc')
      client.send(
        'PUT /b HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\nx-t: 1\r\n\r\nGET /c HT',
      )
      client.send('TP/1.1\r\nA: 1\r\na: 2\r\n\r\n')
      await client.until(({ received }) => received === response())
      const [a, b, c] = server.connections[0]!.requests
      expect([a!.body.toString(), b!.body.toString(), c!.body.toString()]).toEqual(['abc', 'def', ''])
      expect(b!.trailers).toEqual({ 'x-t': '1' })
      expect(c!.headers).toEqual({ a: '1, 2' })
      expect(c!.rawHeaders).toEqual(['A', '1', 'a', '2'])
      client.socket.destroy()
    })
  })

  it('stops reading without closing', async () => {
    const size = 16 * 1024 * 1024
    await withScripted([bytes(1), stopReading(), wait(150), resumeReading(), bytes(size)], async (server) => {
      const client = await RawClient.open(server.origin)
      client.socket.write(Buffer.alloc(size))
      await sleep(100)
      const [connection] = server.connections
      const whileStopped = connection!.bytesReceived
      expect(whileStopped).toBeLessThan(size)
      while (connection!.bytesReceived < size) await sleep(10)
      expect(client.error).toBeUndefined()
      client.socket.destroy()
    })
  })

  it('waits for the test', async () => {
    let allow = () => {}
    const allowed = new Promise<void>((resolve) => (allow = resolve))
    await withScripted([request(), until(allowed), respond()], async (server) => {
      const client = await RawClient.open(server.origin)
      client.get()
      await sleep(40)
      expect(client.received).toBe('')
      allow()
      await client.until(({ received }) => received === response())
      client.socket.destroy()
    })
  })

  it('tells of a connection that no script was meant for', async () => {
    const failing = withScripted(inOrder([request(), respond(), clientEnd()]), async ({ origin }) => {
      await plainRequest(origin)
      await plainRequest(origin).catch(() => {})
    })
    await expect(failing).rejects.toThrow('Connection 2 was opened, there are scripts for 1')
  })

  it('tells of a request that is not HTTP and of a check that fails', async () => {
    const odd = withScripted([request()], async (server) => {
      const client = await RawClient.open(server.origin)
      client.send('hello\r\n\r\n')
      await client.until(({ closed, ended }) => closed || ended)
      client.socket.destroy()
    })
    await expect(odd).rejects.toThrow('Not a request line: "hello"')
    const refuse = request(({ target }) => {
      throw new Error(`unwanted ${target}`)
    })
    await expect(withScripted([refuse], ({ origin }) => plainRequest(origin))).rejects.toThrow('unwanted /')
  })

  it('lets go of everything on close', async () => {
    const server = await startScripted([silence()])
    const client = await RawClient.open(server.origin)
    await server.connection(1)
    await server.close()
    await client.until(({ ended, error }) => ended || error !== undefined)
    client.socket.destroy()
    await expect(RawClient.open(server.origin)).rejects.toThrow('ECONNREFUSED')
  })
})

describeWith('openssl', 'a scripted server over TLS', () => {
  it('answers, half-closes and goes on reading', async () => {
    await withScripted(
      [request(), respond(), halfClose(), request(), wait(20)],
      async (server) => {
        const client = await RawClient.open(server.origin)
        client.get('/one')
        await client.until(({ ended, received }) => ended && received === response())
        client.get('/two')
        await expect.poll(() => server.connections[0]!.requests).toHaveLength(2)
        client.socket.destroy()
      },
      { tls: true },
    )
  })

  it('resets', async () => {
    await withScripted(
      [request(), reset()],
      async (server) => {
        const client = await RawClient.open(server.origin)
        client.get()
        await client.until(({ error }) => error?.code === 'ECONNRESET')
      },
      { tls: true },
    )
  })
})
