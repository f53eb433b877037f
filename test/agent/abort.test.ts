/** A caller gives up, at every stage and in every way: it is told what node would tell it, and the pool goes on. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Pool } from '../../src/index.js'
import { testScripted, testServer, turns, until } from '../dispatcher/support.js'
import type { Agents } from '../replay/caller.js'
import { bytes, clientEnd, request, respond, send, silence } from '../support/servers/script-steps.js'
import type { Script } from '../support/servers/scripted.js'
import { Call, type CallOptions, complete, nodeKind, ourKinds, shown, trustingPool } from './support.js'

/** How it gives up. */
const ways: Record<string, (call: Call, controller: AbortController) => void> = {
  'destroy()': ({ request }) => void request.destroy(),
  'destroy(error)': ({ request }) => void request.destroy(Object.assign(new Error('enough'), { code: 'ENOUGH' })),
  'abort()': ({ request }) => request.abort(),
  'its signal': (_, controller) => controller.abort(),
  'destroy(), twice': ({ request }) => void request.destroy().destroy(),
  'abort(), then destroy()': ({ request }) => {
    request.abort()
    request.destroy()
  },
}

interface Scene {
  readonly options?: CallOptions
  /** What the caller does with its request. Without it, it is ended at once. */
  readonly begin?: (request: Call['request']) => void
  readonly script?: Script
  /** What of its events is not compared: node gives a request its socket while that is being opened, and not connected. */
  readonly but?: readonly string[]
  /** Resolves when it is time to give up. */
  reached(call: Call): Promise<void> | void
}

const upload: Pick<Scene, 'options' | 'begin'> = {
  options: { method: 'POST' },
  begin: (request) => void request.write('the first half'),
}

const now = (): void => {}

const scenes: Record<string, Scene> = {
  'at once': { script: [silence()], reached: now },
  'at once, before its end': { ...upload, script: [silence()], reached: now },
  'in the event of its socket': {
    but: ['finish'],
    script: [silence()],
    reached: async ({ request }) => void (await once(request, 'socket')),
  },
  'when its request was written': {
    script: [request(), clientEnd()],
    reached: (call) => until(() => call.told.includes('finish')),
  },
  'while it waits for the response': {
    script: [request(), send('HTTP/1.1 '), silence()],
    reached: (call) => until(() => call.request.socket !== null && call.request.socket.bytesRead > 0),
  },
  'while it sends its body': {
    ...upload,
    script: [bytes(100), send('HTTP/1.1 '), silence()],
    reached: (call) => until(() => call.request.socket !== null && call.request.socket.bytesRead > 0),
  },
  'in the middle of the body of the response': {
    script: [request(), send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'), silence()],
    reached: (call) => until(() => call.body === 'half'),
  },
  'in the middle of a chunked body, still sending its own': {
    ...upload,
    script: [bytes(100), send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'), silence()],
    reached: (call) => until(() => call.body === 'half'),
  },
  'after an informational response': {
    script: [request(), send('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'), silence()],
    reached: (call) => until(() => call.told.includes('information')),
  },
  'in the event of the response': {
    script: [request(), send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'), silence()],
    reached: async ({ request }) => void (await once(request, 'response')),
  },
  'when it was told to continue': {
    options: { method: 'POST', headers: { expect: '100-continue' } },
    begin: (request) => request.flushHeaders(),
    script: [bytes(50), send('HTTP/1.1 100 Continue\r\n\r\n'), silence()],
    reached: (call) => until(() => call.told.includes('continue')),
  },
  'when it is over': { script: [request(), respond()], reached: (call) => call.ended },
}

const stageIsAtOnce = ({ reached }: Scene): boolean => reached === now

/** What the caller was told, and whether anything was left. */
async function play(agents: Agents, scene: Scene, giveUp: (typeof ways)[string]): Promise<string[]> {
  const server = await testScripted(scene.script ?? [])
  const controller = new AbortController()
  const call = new Call(agents, server.origin, { ...scene.options, signal: controller.signal }, scene.begin)
  await scene.reached(call)
  giveUp(call, controller)
  await call.ended
  await turns()
  expect(call.request.destroyed).toBe(true)
  await until(() => shown(agents.httpAgent, 'sockets') === 0)
  const told = call.told.filter((event) => !scene.but?.includes(event))
  // At once, node tells of an abort() after it has told that all is over.
  return stageIsAtOnce(scene) ? told.sort() : told
}

describe.each(Object.keys(scenes))('a request given up %s', (stage) => {
  it.each(Object.keys(ways))('by %s hears what it would hear from node', async (way) => {
    const scene = scenes[stage]!
    const expected = await play(nodeKind.make(), scene, ways[way]!)
    for (const { make } of ourKinds) expect(await play(make(), scene, ways[way]!)).toEqual(expected)
  })
})

describe('a request given up', () => {
  /** A server of one connection, which is busy until it is told to answer. */
  async function inLine() {
    const held: (() => void)[] = []
    const server = await testServer((_, response) => void held.push(() => response.end('ok')))
    return { server, held }
  }

  it.each(Object.keys(ways))(
    'in line by %s hears what it would hear from node, and those behind it go on',
    async (way) => {
      const play = async (agents: Agents): Promise<string[]> => {
        const { server, held } = await inLine()
        const first = complete(agents, server.origin)
        await until(() => held.length === 1)
        const controller = new AbortController()
        const call = new Call(agents, server.origin, { signal: controller.signal, path: '/given-up' })
        const last = complete(agents, server.origin)
        await until(() => shown(agents.httpAgent, 'requests') === 2)
        ways[way]!(call, controller)
        await turns()
        held[0]!()
        expect((await first).body).toBe('ok')
        await call.ended
        await until(() => held.length === 2)
        held[1]!()
        expect((await last).body).toBe('ok')
        const paths = server.connections.flatMap(({ requests }) => requests.map(({ path }) => path))
        expect(paths).toEqual(['/', '/'])
        return call.told
      }
      const expected = await play(nodeKind.make({ maxSockets: 1 }))
      for (const { make } of ourKinds) expect(await play(make({ maxSockets: 1 }))).toEqual(expected)
    },
  )

  it('in line is out of it at once, while with node it stays until its turn comes', async () => {
    for (const kind of [nodeKind, ...ourKinds]) {
      const agents = kind.make({ maxSockets: 1 })
      const { server, held } = await inLine()
      const first = complete(agents, server.origin)
      await until(() => held.length === 1)
      const call = new Call(agents, server.origin)
      await until(() => shown(agents.httpAgent, 'requests') === 1)
      call.request.destroy()
      await turns()
      expect(call.told.includes('close')).toBe(kind.ours)
      expect(shown(agents.httpAgent, 'requests')).toBe(kind.ours ? 0 : 1)
      held[0]!()
      await first
      await call.ended
      expect(call.told).toEqual(['error ECONNRESET', 'close'])
    }
  })

  /** Takes connections, and says nothing of TLS. */
  async function mute(): Promise<string> {
    const server = createServer((socket) => void socket.on('error', () => {})).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    return `https://127.0.0.1:${(server.address() as { port: number }).port}`
  }

  it.each(Object.keys(ways))(
    'while its connection is opened, by %s, hears what it would hear from node',
    async (way) => {
      // node gives it the socket that is being opened: of that alone it hears more.
      const play = async (agents: Agents): Promise<string[]> => {
        const origin = await mute()
        const controller = new AbortController()
        const call = new Call(agents, origin, { signal: controller.signal })
        await until(() => shown(agents.httpsAgent, 'sockets') === 1)
        await new Promise((resolve) => setTimeout(resolve, 20))
        ways[way]!(call, controller)
        await call.ended
        return call.told.filter((event) => !['socket', 'prefinish', 'finish'].includes(event))
      }
      const expected = await play(nodeKind.make())
      for (const { make } of ourKinds) expect(await play(make())).toEqual(expected)
    },
  )

  it('while its connection is opened, has that go on for the next one', async () => {
    const server = await testServer({ tls: true })
    const pool = trustingPool({ maxConnections: 1 })
    const call = new Call(pool, server.origin)
    const next = complete(pool, server.origin)
    call.request.destroy()
    expect((await next).body).toBe('ok')
    await call.ended
    expect(pool.stats()).toMatchObject({ opened: 1, requests: 1, pending: 0 })
  })

  it.each(Object.keys(ways))(
    'by %s on a kept connection takes that along, and the next request has a new one',
    async (way) => {
      const play = async (agents: Agents): Promise<[string[], number[]]> => {
        const server = await testScripted((nth) =>
          nth === 1 ? [request(), respond(), request(), silence()] : [request(), respond()],
        )
        await complete(agents, server.origin)
        const controller = new AbortController()
        const call = new Call(agents, server.origin, { signal: controller.signal })
        await until(() => server.connections[0]?.requests.length === 2)
        ways[way]!(call, controller)
        await call.ended
        await complete(agents, server.origin)
        return [call.told, server.connections.map(({ requests }) => requests.length)]
      }
      const expected = await play(nodeKind.make())
      for (const { make } of ourKinds) expect(await play(make())).toEqual(expected)
      expect(expected[1]).toEqual([2, 1])
    },
  )

  it('leaves a kept connection alone if nothing was written on it, unlike with node', async () => {
    for (const kind of [nodeKind, ...ourKinds]) {
      const server = await testServer()
      const agents = kind.make()
      await complete(agents, server.origin)
      await until(() => shown(agents.httpAgent, 'freeSockets') === 1)
      const call = new Call(agents, server.origin, {}, () => {})
      call.request.destroy()
      await call.ended
      await turns()
      await complete(agents, server.origin)
      expect(server.connections).toHaveLength(kind.ours ? 1 : 2)
      expect(call.told).toEqual(['error ECONNRESET', 'close'])
    }
  })

  it('with a signal that was aborted before, opens nothing', async () => {
    const server = await testServer()
    for (const { make } of ourKinds) {
      const agents = make()
      const call = new Call(agents, server.origin, { signal: AbortSignal.abort() })
      await call.ended
      expect(call.told).toEqual(['error ABORT_ERR', 'close'])
    }
    await turns()
    expect(server.connections).toEqual([])
  })

  it('leaves nothing in the books of its pool, at whatever moment', async () => {
    const server = await testServer({ handler: (_, response) => void setTimeout(() => response.end('ok'), 2) })
    const pool: Pool = trustingPool({ maxConnections: 4 })
    const calls: Call[] = []
    for (let n = 0; n < 120; n++) {
      const call = new Call(pool, server.origin)
      calls.push(call)
      if (n % 3 === 0) setTimeout(() => call.request.destroy(), n % 10)
      else if (n % 3 === 1) setTimeout(() => call.response?.destroy(), n % 10)
    }
    await Promise.all(calls.map((call) => call.ended))
    await until(() => pool.stats().pending === 0 && pool.stats().active === 0)
    expect(pool.stats()).toMatchObject({ waiting: 0, dialing: 0 })
    expect(pool.stats().idle).toBeLessThanOrEqual(4)
    expect(await complete(pool, server.origin)).toMatchObject({ body: 'ok' })
  })

  it('destroys a response that nobody reads to its end: its connection goes, as with node', async () => {
    const play = async (agents: Agents): Promise<string[]> => {
      const server = await testScripted((nth) =>
        nth === 1
          ? [request(), send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'), silence()]
          : [request(), respond()],
      )
      const call = new Call(agents, server.origin)
      await until(() => call.body === 'half')
      call.response!.destroy()
      await call.ended
      await complete(agents, server.origin)
      expect(server.connections).toHaveLength(2)
      return call.told
    }
    const expected = await play(nodeKind.make())
    for (const { make } of ourKinds) expect(await play(make())).toEqual(expected)
  })
})
