/** What is known of the inside of node:http, held to the node:http that is here. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import http from 'node:http'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  canBeTakenOff,
  enterContext,
  knowsNode,
  type NodeRequest,
  type NodeSocket,
  plugIn,
  release,
  takeOff,
  unplug,
} from '../../src/agent/node-request.js'
import { turns } from '../dispatcher/support.js'

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

/** A server that answers when it is told to, and a client's connections to it. */
async function wire() {
  const received: string[] = []
  const ends: Socket[] = []
  const server: Server = createServer((socket) => {
    const index = ends.push(socket) - 1
    received[index] = ''
    socket
      .on('error', () => {})
      .on('data', (data) => {
        received[index] = `${received[index]}${data}`
      })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const each of ends) each.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  const open = async (): Promise<Socket & NodeSocket> => {
    const count = ends.length
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    while (ends.length === count) await turns(1)
    onTestFinished(() => void socket.destroy())
    return socket
  }
  return { received, ends, open }
}

/** A request of an agent that hands it out. */
function make(options: http.RequestOptions = {}): NodeRequest {
  const agent = Object.assign(new http.Agent(), { addRequest() {} })
  const request = http.request('http://127.0.0.1:1', { agent, method: 'POST', ...options })
  request.on('error', () => {})
  onTestFinished(() => void request.destroy())
  return request as NodeRequest
}

async function ride(request: NodeRequest, socket: Socket): Promise<void> {
  request.onSocket(socket)
  await once(request, 'socket')
}

/** Without what Node and this machine need on their own sockets. */
const namesOn = (socket: Socket): string[] =>
  ['data', 'end', 'error', 'close', 'drain', 'timeout'].flatMap((event) =>
    socket.listeners(event).map(({ name }) => name),
  )

describe('this Node', () => {
  it('is known', () => {
    expect(knowsNode()).toBe(true)
  })

  const methods = ['_flush', '_flushOutput', '_writeRaw']
  it.each(methods)('would not be without %s', (method) => {
    const message = Object.fromEntries(methods.map((name) => [name, name === method ? undefined : () => {}]))
    expect(knowsNode({ onSocket() {} }, message)).toBe(false)
    expect(knowsNode({ onSocket() {} }, { ...message, [method]: () => {} })).toBe(true)
  })

  it('would not be without onSocket', () => {
    expect(knowsNode({})).toBe(false)
  })
})

describe('a request', () => {
  it('can be taken off a socket on which it stands, and not off any other', async () => {
    const { open } = await wire()
    const [socket, other] = [await open(), await open()]
    const request = make()
    expect(canBeTakenOff(request, socket)).toBe(false)
    await ride(request, socket)
    expect(canBeTakenOff(request, socket)).toBe(true)
    expect(canBeTakenOff(request, other)).toBe(false)
    expect(canBeTakenOff(make(), socket)).toBe(false)
  })

  const oddities: Record<string, (request: NodeRequest, socket: Socket & NodeSocket) => void> = {
    'a parser of its own': (request) => {
      request.parser = {}
    },
    'a listener less': (_request, socket) => {
      const [listener] = socket.listeners('end').filter(({ name }) => name === 'socketOnEnd')
      socket.off('end', listener as () => void)
    },
    'a listener too many': (_request, socket) => {
      socket.on('close', function socketCloseListener() {})
    },
    'another socket': (request) => unplug(request),
    'a socket that serves another one': (_request, socket) => {
      socket._httpMessage = null
    },
  }
  it.each(Object.entries(oddities))('cannot be taken off with %s', async (_what, change) => {
    const { open } = await wire()
    const socket = await open()
    const request = make()
    await ride(request, socket)
    const parser = socket.parser
    change(request, socket)
    expect(canBeTakenOff(request, socket)).toBe(false)
    socket.parser = parser!
    socket.removeAllListeners().destroy()
  })

  it('leaves nothing of itself on the socket that it is taken off, nor anything of the socket on itself', async () => {
    const { open } = await wire()
    const socket = await open()
    const own = (): void => {}
    socket.on('close', own).on('data', own)
    const before = namesOn(socket)
    const request = make({ timeout: 5000 })
    await ride(request, socket)
    expect(namesOn(socket)).toEqual(expect.arrayContaining(['socketOnData', 'emitRequestTimeout', 'ondrain']))
    takeOff(request, socket, [])
    expect(namesOn(socket)).toEqual(before)
    expect(socket).toMatchObject({ parser: null, _httpMessage: null })
    expect(request).toMatchObject({ socket: null, parser: null, destroyed: false })
  })

  it('hears nothing of that socket any more', async () => {
    const { open, ends } = await wire()
    const socket = await open()
    const request = make()
    const heard: string[] = []
    for (const event of ['error', 'close', 'response', 'timeout', 'drain']) request.on(event, () => heard.push(event))
    await ride(request, socket)
    request.end('text')
    await turns()
    takeOff(request, socket, [])
    socket.resume()
    ends[0]!.end(OK)
    await once(socket, 'close')
    await turns()
    expect(heard).toEqual([])
    expect(request.destroyed).toBe(false)
  })

  it('writes to the next socket what was written to the first, and then what it has collected since', async () => {
    const { open, received, ends } = await wire()
    const [first, second] = [await open(), await open()]
    const request = make({ headers: { 'content-length': 15 } })
    await ride(request, first)
    request.write('one, ')
    await turns()
    const head = request._header!
    unplug(request)
    request.write('two, ')
    const called: string[] = []
    const pieces = [head, 'one, '].map((data) => ({ data, encoding: null, callback: () => void called.push(data) }))
    takeOff(request, first, pieces)
    expect(request.outputSize).toBe(head.length + 10)
    expect(request.writableLength).toBe(head.length + 10)
    await ride(request, second)
    request.end('three')
    const [response] = (
      await Promise.all([
        once(request, 'response'),
        (async () => {
          while (!received[1]!.includes('three')) await turns(1)
          ends[1]!.write(OK)
        })(),
      ])
    )[0] as [http.IncomingMessage]
    response.resume()
    await once(request, 'close')
    expect(received[1]).toBe(`${head}one, two, three`)
    expect(called).toEqual([head, 'one, '])
    expect(request).toMatchObject({ writableFinished: true, outputSize: 0 })
  })

  it('says "prefinish" and "finish" once, though it was ended before it moved', async () => {
    const { open, ends, received } = await wire()
    const [first, second] = [await open(), await open()]
    const request = make()
    const heard: string[] = []
    for (const event of ['prefinish', 'finish', 'response', 'close']) request.on(event, () => void heard.push(event))
    request.on('response', (response) => response.resume())
    await ride(request, first)
    request.end('text')
    await turns()
    const data = received[0]!
    expect(data).toMatch(/text$/)
    takeOff(request, first, [{ data, encoding: 'latin1', callback: null }])
    await ride(request, second)
    ends[1]!.write(OK)
    await once(request, 'close')
    expect(heard).toEqual(['prefinish', 'finish', 'response', 'close'])
    expect(received[1]).toBe(data)
  })

  it('drops nothing that is written while it is unplugged, and is plugged in again as it was', async () => {
    const { open, received } = await wire()
    const socket = await open()
    const request = make({ headers: { 'content-length': 6 } })
    await ride(request, socket)
    request.flushHeaders()
    await turns()
    unplug(request)
    expect(request.socket).toBeNull()
    request.write('one')
    expect(request.outputData.map(({ data }) => data)).toEqual(['one'])
    plugIn(request, socket)
    expect(canBeTakenOff(request, socket)).toBe(true)
    request.end('two')
    while (!received[0]!.endsWith('onetwo')) await turns(1)
  })

  it('is let go by a socket that has served it', async () => {
    const { open } = await wire()
    const [socket, other] = [await open(), await open()]
    const request = make()
    await ride(request, socket)
    release(make(), socket)
    expect(socket._httpMessage).toBe(request)
    release(request, other)
    release(request, socket)
    expect(socket._httpMessage).toBeNull()
    socket.removeAllListeners() // node's own want a request
  })
})

describe('a socket', () => {
  it('calls back in the context that it has entered last', async () => {
    const { open, ends } = await wire()
    const storage = new AsyncLocalStorage<string>()
    const socket = await storage.run('opener', open)
    const seen: unknown[] = []
    storage.run('listener', () => socket.on('data', () => seen.push(storage.getStore())))
    for (const user of ['first', 'second']) {
      storage.run(user, () => enterContext(socket))
      const heard = once(socket, 'data')
      ends[0]!.write('x')
      await heard
    }
    expect(seen).toEqual(['first', 'second'])
  })

  it('that is destroyed, or has no handle, enters none', async () => {
    const { open } = await wire()
    const socket = await open()
    socket.destroy()
    expect(() => enterContext(socket)).not.toThrow()
  })
})
