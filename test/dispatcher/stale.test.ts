import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished } from 'vitest'
import type { Pool } from '../../src/index.js'
import { itWith } from '../support/requirements.js'
import { testCertificates } from '../support/tls.js'
import { blockLoop, books, get, quietBooks, send, testPool, turns, until } from './support.js'

interface OtherProcess {
  origin: string
  /** Has the server close all its connections, and blocks the event loop until it has: nobody here has read a FIN. */
  closeAllWhileBlocked: () => void
  /** How often each request was processed, by its id. */
  processed: () => Promise<Record<string, number>>
}

/** A server in a process of its own, which goes on while this one is blocked. It closes with a FIN, or with an RST. */
async function otherProcess(options: { reset?: boolean; tls?: boolean } = {}): Promise<OtherProcess> {
  const { reset = false, tls = false } = options
  const directory = mkdtempSync(join(tmpdir(), 'keepwise-stale-'))
  const source = `
    const { createServer } = require(${JSON.stringify(tls ? 'node:https' : 'node:http')})
    const { writeFileSync } = require('node:fs')
    const processed = {}
    const sockets = new Set()
    const server = createServer(${JSON.stringify(tls ? testCertificates().localhost : {})}, (request, response) => {
      request.resume().on('end', () => {
        if (request.headers.id) processed[request.headers.id] = (processed[request.headers.id] ?? 0) + 1
        response.end(request.url === '/processed' ? JSON.stringify(processed) : 'ok')
      })
    })
    server.keepAliveTimeout = 0
    server.on('${tls ? 'secureConnection' : 'connection'}', (socket) => {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    })
    let closings = 0
    process.on('SIGUSR2', async () => {
      await Promise.all([...sockets].map((socket) => new Promise((resolve) => {
        socket.on('close', resolve)
        ${reset ? 'socket.resetAndDestroy()' : 'socket.destroy()'}
      })))
      writeFileSync(${JSON.stringify(directory)} + '/closed-' + ++closings, '')
    })
    server.listen(0, '127.0.0.1', () => console.log(server.address().port))
    process.stdin.resume().on('end', () => process.exit())
  `
  const child: ChildProcess = spawn(process.execPath, ['--eval', source], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(async () => {
    // Its end of this pipe closes with this process too, however that one ends.
    child.stdin!.end()
    if (child.exitCode === null) await once(child, 'exit')
    rmSync(directory, { recursive: true, force: true })
  })
  const [port] = await once(createInterface(child.stdout!), 'line')
  const origin = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`
  let closings = 0
  return {
    origin,
    closeAllWhileBlocked() {
      const done = join(directory, `closed-${++closings}`)
      const deadline = performance.now() + 5000
      child.kill('SIGUSR2')
      while (!existsSync(done)) if (performance.now() > deadline) throw new Error('the server did not close')
      // Over the loopback device they are here at once; this is for a machine that is busy, and it makes the turn a long one.
      blockLoop(110)
    },
    async processed() {
      const pool = testPool({ connect: { rejectUnauthorized: false } })
      return JSON.parse(await get(pool, origin, '/processed'))
    },
  }
}

/** Opens `count` connections and leaves them idle. */
async function fill(pool: Pool, origin: string, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => get(pool, origin)))
  await until(() => pool.stats().idle === count)
}

const post = (pool: Pool, origin: string, id: string) =>
  send(pool, origin, { method: 'POST', body: 'payload', headers: { id } })

describe('a connection that the server has closed while the event loop was blocked', () => {
  for (const [how, options] of [
    ['by a FIN', {}],
    ['by a FIN, over TLS', { tls: true }],
    ['by a reset', { reset: true }],
  ] as const)
    itWith('koffi', `is replaced before anything is written, for a POST as well (${how})`, async () => {
      const server = await otherProcess(options)
      const pool = testPool({ connect: { rejectUnauthorized: false } })
      await fill(pool, server.origin, 5)
      for (let round = 0; round < 4; round++) {
        server.closeAllWhileBlocked()
        const answers = await Promise.all(
          Array.from({ length: 5 }, (_, n) => post(pool, server.origin, `${round}-${n}`)),
        )
        expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(5).fill(200))
      }
      const processed = await server.processed()
      expect(Object.values(processed)).toEqual(Array(20).fill(1))
      // Every one of them was found by asking, and none by a request that failed.
      const { idle, opened } = pool.stats()
      expect(opened).toBeGreaterThanOrEqual(9)
      expect(books(pool)).toEqual(quietBooks({ idle, opened, requests: 25, closed: { stale: opened - idle } }))
    })

  itWith('koffi', 'is found also when the block lies between the request and its writing', async () => {
    const server = await otherProcess()
    const pool = testPool()
    await fill(pool, server.origin, 1)
    for (let n = 0; n < 4; n++) {
      const answer = post(pool, server.origin, `after-${n}`)
      server.closeAllWhileBlocked()
      expect((await answer).statusCode).toBe(200)
      await turns(1)
    }
    expect(await server.processed()).toEqual({ 'after-0': 1, 'after-1': 1, 'after-2': 1, 'after-3': 1 })
  })

  itWith('koffi', 'costs those who wait in line nothing', async () => {
    const server = await otherProcess()
    const pool = testPool({ maxConnections: 2 })
    await fill(pool, server.origin, 2)
    server.closeAllWhileBlocked()
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => post(pool, server.origin, `line-${n}`)))
    expect(answers.map(({ body }) => body)).toEqual(Array(20).fill('ok'))
    expect(Object.values(await server.processed())).toEqual(Array(20).fill(1))
    expect(pool.stats().requests).toBe(22)
  })
})

itWith('koffi', 'a new TLS connection whose session tickets nobody has read yet is as good as any', async () => {
  const server = await otherProcess({ tls: true })
  const pool = testPool({ connect: { rejectUnauthorized: false, minVersion: 'TLSv1.3' } })
  const answer = new Promise<{ statusCode: number }>((resolve, reject) => {
    pool.once('idle', () => {
      // The tickets come behind the handshake: the kernel has them after the block, and the event loop has not.
      setImmediate(() => {
        blockLoop(50)
        post(pool, server.origin, 'first').then(resolve, reject)
      })
    })
  })
  await pool.warm(server.origin)
  expect((await answer).statusCode).toBe(200)
  expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
})
