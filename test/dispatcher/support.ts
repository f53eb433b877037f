/**
 * What the tests of the dispatcher share: pools and servers that are ended with their test, the books of a pool in a
 * form to compare, and handlers that write down what they are told.
 */
import { readdirSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import { onTestFinished } from 'vitest'
import { type CloseReason, createPool, type Pool, type PoolOptions } from '../../src/index.js'
import { projectPath } from '../support/nodes.js'
import { type RunningServer, type ServerOptions, startServer } from '../support/servers/node.js'
import { type ScriptedOptions, type ScriptedServer, type Scripts, startScripted } from '../support/servers/scripted.js'

/** A pool that is destroyed when the test is over. */
export function testPool(options?: PoolOptions): Pool {
  const pool = createPool(options)
  onTestFinished(() => pool.destroy())
  return pool
}

/** A real server that is closed when the test is over. */
export async function testServer(options: ServerOptions | ServerOptions['handler'] = {}): Promise<RunningServer> {
  const server = await startServer(options)
  onTestFinished(() => server.close())
  return server
}

/** A scripted server that is closed when the test is over; what its scripts found wrong fails the test. */
export async function testScripted(scripts: Scripts, options?: ScriptedOptions): Promise<ScriptedServer> {
  const server = await startScripted(scripts, options)
  onTestFinished(async () => {
    await server.close()
    if (server.failures.length > 0) throw server.failures[0]
  })
  return server
}

/** One GET through the pool, body and all. */
export async function get(pool: Pool, origin: string, path = '/'): Promise<string> {
  return (await send(pool, origin, { path })).body
}

/** One request through undici's API on the pool, its response read to the end. */
export async function send(
  pool: Pool,
  origin: string,
  options: Partial<Dispatcher.RequestOptions> = {},
): Promise<{ statusCode: number; headers: Record<string, unknown>; trailers: Record<string, string>; body: string }> {
  const { statusCode, headers, trailers, body } = await pool.dispatcher.request({
    origin,
    path: '/',
    method: 'GET',
    ...options,
  })
  return { statusCode, headers, trailers, body: await body.text() }
}

/** The books of a pool; of the reasons, those that occurred. */
export interface Books {
  active: number
  idle: number
  dialing: number
  waiting: number
  pending: number
  opened: number
  requests: number
  closed: Partial<Record<CloseReason, number>>
}

export function books(pool: Pool): Books {
  const { active, idle, dialing, waiting, pending, opened, requests, closed } = pool.stats()
  const occurred = Object.fromEntries(Object.entries(closed).filter(([, count]) => count > 0))
  return { active, idle, dialing, waiting, pending, opened, requests, closed: occurred }
}

/** Books in which nothing is under way and nothing was ever closed, but for what is given. */
export function quietBooks(given: Partial<Books>): Books {
  return { active: 0, idle: 0, dialing: 0, waiting: 0, pending: 0, opened: 0, requests: 0, closed: {}, ...given }
}

/** Waits until something holds; throws what the condition looked like when it never did. */
export async function until(holds: () => boolean, timeout = 5000): Promise<void> {
  const deadline = performance.now() + timeout
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`Not so after ${timeout} ms: ${holds}`)
    await sleep(2)
  }
}

/** Turns of the event loop, for what would happen at once if it happened. */
export async function turns(count = 4): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** What a handler was told, in order, and how it ended. */
export interface Told {
  calls: string[]
  body: string
  statusCode: number | undefined
  error: (Error & { code?: string }) | undefined
  /** Resolves at the end, be it a response or an error. */
  ended: Promise<void>
  /** Aborts the request; set once the handler has been told how. */
  abort: (reason?: Error) => void
}

type Overrides = Dispatcher.DispatchHandler

/** A handler of the older shape (onConnect, onHeaders, …). A method in `overrides` is called as well. */
export function legacyHandler(overrides: Overrides = {}): { handler: Dispatcher.DispatchHandler; told: Told } {
  const { told, note, finish } = notebook()
  const handler: Dispatcher.DispatchHandler & { onRequestSent(): void } = {
    onConnect(abort) {
      note('onConnect')
      told.abort = abort
      overrides.onConnect?.(abort)
    },
    onResponseStarted() {
      note('onResponseStarted')
      overrides.onResponseStarted?.()
    },
    onBodySent(size, total) {
      note('onBodySent')
      overrides.onBodySent?.(size, total)
    },
    onRequestSent() {
      note('onRequestSent')
    },
    onHeaders(statusCode, headers, resume, statusText) {
      note(`onHeaders ${statusCode}`)
      told.statusCode = statusCode
      return overrides.onHeaders?.(statusCode, headers, resume, statusText) ?? true
    },
    onData(chunk) {
      note('onData')
      told.body += chunk
      return overrides.onData?.(chunk) ?? true
    },
    onComplete(trailers) {
      note('onComplete')
      finish()
      overrides.onComplete?.(trailers)
    },
    onUpgrade(statusCode, headers, socket) {
      note(`onUpgrade ${statusCode}`)
      finish()
      overrides.onUpgrade?.(statusCode, headers, socket)
    },
    onError(error) {
      note('onError')
      told.error = error
      finish()
      overrides.onError?.(error)
    },
  }
  return { handler, told }
}

/** A handler of the newer shape (onRequestStart, onResponseStart, …). A method in `overrides` is called as well. */
export function modernHandler(overrides: Overrides = {}): { handler: Dispatcher.DispatchHandler; told: Told } {
  const { told, note, finish } = notebook()
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(controller, context) {
      note('onRequestStart')
      told.abort = (reason) => controller.abort(reason as Error)
      overrides.onRequestStart?.(controller, context)
    },
    onResponseStart(controller, statusCode, headers, statusMessage) {
      note(`onResponseStart ${statusCode}`)
      told.statusCode = statusCode
      overrides.onResponseStart?.(controller, statusCode, headers, statusMessage)
    },
    onResponseData(controller, chunk) {
      note('onResponseData')
      told.body += chunk
      overrides.onResponseData?.(controller, chunk)
    },
    onResponseEnd(controller, trailers) {
      note('onResponseEnd')
      finish()
      overrides.onResponseEnd?.(controller, trailers)
    },
    onRequestUpgrade(controller, statusCode, headers, socket) {
      note(`onRequestUpgrade ${statusCode}`)
      finish()
      overrides.onRequestUpgrade?.(controller, statusCode, headers, socket)
    },
    onResponseError(controller, error) {
      note('onResponseError')
      told.error = error
      finish()
      overrides.onResponseError?.(controller, error)
    },
  }
  return { handler, told }
}

function notebook(): { told: Told; note: (call: string) => void; finish: () => void } {
  let finish!: () => void
  const ended = new Promise<void>((resolve) => {
    finish = resolve
  })
  const notYet = () => {
    throw new Error('the handler has not been told how to abort')
  }
  const told: Told = { calls: [], body: '', statusCode: undefined, error: undefined, ended, abort: notYet }
  return { told, finish, note: (call) => void told.calls.push(call) }
}

/**
 * Runs `body` and catches what nobody else would: uncaught exceptions and unhandled rejections, in order. Until two
 * turns after it has ended they are kept from vitest, which would fail the run for them.
 */
export async function catchingUncaught(body: () => Promise<void>): Promise<unknown[]> {
  const caught: unknown[] = []
  const events = ['uncaughtException', 'unhandledRejection'] as const
  const others = events.map((event) => process.listeners(event as 'uncaughtException'))
  const keep = (error: unknown): void => void caught.push(error)
  for (const event of events) process.removeAllListeners(event).on(event, keep)
  try {
    await body()
    await turns()
  } finally {
    events.forEach((event, index) => {
      process.removeAllListeners(event)
      for (const other of others[index]!) process.on(event as 'uncaughtException', other)
    })
  }
  return caught
}

/** Blocks the event loop, as a long computation would. */
export function blockLoop(milliseconds: number): void {
  const end = performance.now() + milliseconds
  while (performance.now() < end) {
    // That is the point.
  }
}

/** Requirements of what runs against the built package: `npm test` builds it before the tests run. */
export function builtPackage(): void {
  const built = modifiedAt(projectPath('dist', 'index.js'))
  const sources = readdirSync(projectPath('src'), { recursive: true, encoding: 'utf8' })
  const newest = Math.max(...sources.map((name) => modifiedAt(projectPath('src', name))))
  if (built < newest)
    throw new Error('dist/ is missing or older than src/: build it first (npx tsup --no-dts --silent)')
}

function modifiedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
