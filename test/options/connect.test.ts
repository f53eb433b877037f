import { describe, expect, it } from 'vitest'
import { OptionError } from '../../src/errors.js'
import { resolveConnect } from '../../src/options/connect.js'
import { resolveOptions } from '../../src/options/pool-options.js'

function refusal(connect: unknown): OptionError {
  try {
    resolveOptions({ connect })
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError)
    return error as OptionError
  }
  throw new Error('The option was taken')
}

describe('the connect option', () => {
  it('has a timeout of 10 s and 32 dials at once by default', () => {
    const defaults = { timeout: 10_000, concurrency: 32, rest: {} }
    expect(resolveConnect(undefined)).toEqual(defaults)
    expect(resolveConnect({})).toEqual(defaults)
    expect(resolveConnect({ timeout: undefined, concurrency: undefined })).toEqual(defaults)
  })

  it('keeps its own part and passes on the rest', () => {
    const rest = { socketPath: '/tmp/socket', ca: 'certificate', rejectUnauthorized: false, family: 6 }
    expect(resolveConnect({ timeout: 0, concurrency: Infinity, ...rest })).toEqual({
      timeout: 0,
      concurrency: Infinity,
      rest,
    })
  })

  it.each([null, 5, '/tmp/socket', [], true])('cannot be %o', (connect) => {
    expect(refusal(connect)).toMatchObject({ option: 'connect' })
    expect(refusal(connect).message).toMatch(/^Option "connect" must be an object; it is /)
  })

  it.each([
    ['timeout', -1],
    ['timeout', 0.5],
    ['timeout', Infinity],
    ['timeout', '5s'],
    ['concurrency', 0],
    ['concurrency', 1.5],
    ['concurrency', '4'],
    ['socketPath', ''],
    ['socketPath', 80],
    ['socketPath', null],
  ])('refuses %s: %o', (name, value) => {
    const error = refusal({ [name]: value })
    expect(error.option).toBe(`connect.${name}`)
    expect(error.message).toMatch(new RegExp(`^Option "connect.${name}" must be .+; it is .*\\(.+\\)\\.$`))
  })

  it.each([
    ['host', 'the URL of a request decides it'],
    ['hostname', 'the URL of a request decides it'],
    ['port', 'the URL of a request decides it'],
    ['path', 'use "connect.socketPath" for a Unix domain socket'],
    ['socket', 'the pool opens its own sockets'],
    ['httpSocket', 'the pool opens its own sockets'],
    ['keepAlive', 'use "liveness"'],
    ['keepAliveInitialDelay', 'use "liveness"'],
    ['onread', 'the HTTP parser reads the sockets'],
    ['allowH2', 'keepwise pools HTTP/1.1 connections'],
  ])('refuses %s and says: %s', (name, instead) => {
    expect(refusal({ [name]: 1 }).message).toBe(`Option "connect.${name}" cannot be set: ${instead}.`)
  })

  it.each([
    ['timeuot', 'timeout'],
    ['concurency', 'concurrency'],
    ['rejectUnauthorised', 'rejectUnauthorized'],
    ['localAdress', 'localAddress'],
    ['serverName', 'servername'],
  ])('refuses %s, and suggests %s', (name, meant) => {
    expect(refusal({ [name]: 1 }).message).toBe(`Unknown option "connect.${name}". Did you mean "connect.${meant}"?`)
  })

  it('passes on what only a newer Node may know', () => {
    expect(resolveConnect({ brandNewTlsOption: 1 }).rest).toEqual({ brandNewTlsOption: 1 })
  })

  it('passes on a name that every object has', () => {
    expect(resolveConnect({ constructor: 1 }).rest).toEqual({ constructor: 1 })
  })
})
