/** Options of keepAlive and of close: what they may be, and what is said of what they may not. */
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import express from 'express'
import { fastify } from 'fastify'
import Koa from 'koa'
import { afterEach, describe, expect, it } from 'vitest'
import { resolveClose, resolveKeepAlive } from '../../src/server/options.js'
import { KeepwiseError, keepAlive, OptionError } from '../../src/server.js'

/** What is thrown, as `name option: message`. */
function thrown(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    expect(error).toBeInstanceOf(KeepwiseError)
    expect(error.code).toBe('ERR_KEEPWISE_OPTION')
    return `${error.option}: ${error.message}`
  }
  return 'nothing'
}

const server = { keepAliveTimeout: 5_000, maxRequestsPerSocket: 0 }

describe('options of keepAlive', () => {
  it("default to the server's own settings", () => {
    expect(resolveKeepAlive(undefined, server)).toEqual({
      timeout: 5_000,
      max: Infinity,
      buffer: 1_000,
      liveness: 'cloud',
    })
    const set = { keepAliveTimeout: 72_000, maxRequestsPerSocket: 9, keepAliveTimeoutBuffer: 0 }
    expect(resolveKeepAlive({}, set)).toMatchObject({ timeout: 72_000, max: 9, buffer: 0 })
    expect(resolveKeepAlive({ timeout: undefined }, { keepAliveTimeout: 0 })).toMatchObject({ timeout: Infinity })
  })

  it('are taken as they are', () => {
    const options = { timeout: 65_000, max: 1, buffer: 0, liveness: { idle: 2_000, interval: 1_000, probes: 3 } }
    expect(resolveKeepAlive(options, server)).toEqual(options)
    expect(resolveKeepAlive({ timeout: Infinity, max: Infinity, liveness: false }, server)).toMatchObject({
      timeout: Infinity,
      max: Infinity,
      liveness: false,
    })
  })

  it.each([
    [
      { timeout: 0 },
      'timeout: Option "timeout" must be milliseconds from 1 to 2147483647, or Infinity; it is 0 (number).',
    ],
    [
      { timeout: '5s' },
      `timeout: Option "timeout" must be milliseconds from 1 to 2147483647, or Infinity; it is '5s' (string).`,
    ],
    [{ max: 0 }, 'max: Option "max" must be a whole number of at least 1, or Infinity for no limit; it is 0 (number).'],
    [
      { max: 1.5 },
      'max: Option "max" must be a whole number of at least 1, or Infinity for no limit; it is 1.5 (number).',
    ],
    [{ buffer: -1 }, 'buffer: Option "buffer" must be milliseconds from 0 to 2147483647; it is -1 (number).'],
    [
      { liveness: { idle: 500, interval: 1_000, probes: 3 } },
      'liveness.idle: Option "liveness.idle" must be whole seconds in milliseconds, from 1000 to 32767000; it is 500 (number).',
    ],
    [{ timout: 1 }, 'timout: Unknown option "timout". Did you mean "timeout"?'],
    [{ keepAliveTimeout: 1 }, 'keepAliveTimeout: Unknown option "keepAliveTimeout". Did you mean "timeout"?'],
    [{ maxRequestsPerSocket: 1 }, 'maxRequestsPerSocket: Unknown option "maxRequestsPerSocket". Did you mean "max"?'],
    [{ zebra: 1 }, 'zebra: Unknown option "zebra". Known options: timeout, max, buffer, liveness.'],
    [7, 'options: Options must be an object; they are 7 (number).'],
  ])('%j: %s', (options, message) => {
    expect(thrown(() => resolveKeepAlive(options, server))).toBe(message)
  })
})

describe('options of close', () => {
  it('have defaults that end within the 30 s which Kubernetes allows', () => {
    expect(resolveClose(undefined)).toEqual({ accept: 0, grace: 5_000, limit: 25_000 })
    expect(resolveClose({ accept: 1, grace: 0, limit: Infinity })).toEqual({ accept: 1, grace: 0, limit: Infinity })
  })

  it.each([
    [{ accept: -1 }, 'accept: Option "accept" must be milliseconds from 0 to 2147483647; it is -1 (number).'],
    [{ grace: Infinity }, 'grace: Option "grace" must be milliseconds from 0 to 2147483647; it is Infinity (number).'],
    [
      { limit: Number.NaN },
      'limit: Option "limit" must be milliseconds from 0 to 2147483647, or Infinity; it is NaN (number).',
    ],
    [{ timeout: 1 }, 'timeout: Unknown option "timeout". Did you mean "limit"?'],
    [null, 'options: Options must be an object; they are null (object).'],
  ])('%j: %s', (options, message) => {
    expect(thrown(() => resolveClose(options))).toBe(message)
  })

  it('that are wrong leave the server open', async () => {
    const open = http.createServer().listen(0)
    try {
      const keeper = keepAlive(open)
      expect(thrown(() => keeper.close({ limit: -1 }))).toMatch(/^limit: /)
      expect(keeper.stats().closing).toBe(false)
      expect(open.listening).toBe(true)
    } finally {
      open.close()
    }
  })
})

describe('what keepAlive takes', () => {
  const apps: { close(): unknown }[] = []
  afterEach(() => apps.splice(0).map((app) => app.close()))

  it('is a server of node:http or node:https, once', () => {
    for (const made of [http.createServer(), https.createServer()]) {
      const keeper = keepAlive(made)
      expect(thrown(() => keepAlive(made))).toBe(
        'server: keepAlive was called for this server already: restore() the first one before.',
      )
      keeper.restore()
      keepAlive(made).restore()
    }
  })

  it('is not kept by a call that failed', () => {
    const made = http.createServer()
    expect(thrown(() => keepAlive(made, { max: 0 }))).toMatch(/^max: /)
    keepAlive(made)
  })

  it('is no application: where its server is to be found is said', () => {
    const app = fastify()
    apps.push(app)
    const take = (value: unknown) => thrown(() => keepAlive(value as http.Server))
    expect(take(express())).toMatch(/^server: keepAlive takes a server of .* Give it what app.listen\(\) returns\.$/)
    expect(take(new Koa())).toMatch(/Give it what app.listen\(\) returns\.$/)
    expect(take(app)).toMatch(/Give it app.server\.$/)
    expect(take(net.createServer())).toMatch(/; it is of the class Server\. Give it what createServer\(\) returns\.$/)
    expect(take(undefined)).toMatch(/; it is undefined \(undefined\)\. Give it what createServer\(\) returns\.$/)
  })
})
