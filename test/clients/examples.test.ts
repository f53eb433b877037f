/** The example for each client runs by itself against the built package, says what it is there to show, and ends. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { builtPackage } from '../dispatcher/support.js'
import { projectPath } from '../support/nodes.js'
import { runNode } from '../support/run-node.js'

const directory = projectPath('examples/clients')

const inTurn = '20 requests in turn: 1 connection'
const atOnce = '50 requests at once: 4 connections, because maxConnections is 4'

/** The lines of each, in order: the whole output. */
const outputs: Readonly<Record<string, readonly string[]>> = {
  'aws-sdk.mjs': [
    '10 objects put in turn: 1 connection',
    '10 objects got at once: 4 connections, because maxConnections is 4',
    '5 large objects, by itself: 5 new connections',
    '5 large objects, by keepwise: 0 new connections',
  ],
  'axios.mjs': [
    inTurn,
    atOnce,
    'aborted: ERR_CANCELED',
    'its connection was closed: aborted',
    'after close(): ERR_KEEPWISE_CLOSED',
  ],
  'got.mjs': [inTurn, atOnce, '2 retries of a 503, then "hello"', 'they took 0 new connections'],
  'node-fetch.mjs': [inTurn, atOnce, 'caught: AbortError', 'closed: aborted, after many requests'],
  'node-http.mjs': [
    inTurn,
    atOnce,
    'an agent of its own: 2 connections, because maxSockets is 2',
    'installed: 2 requests, by http.get and by fetch',
  ],
  'superagent.mjs': [inTurn, atOnce, '"hello" after 1 redirect, still 4 connections'],
}

beforeAll(builtPackage)

describe('examples of clients', () => {
  it('are all looked at', () => {
    expect(readdirSync(directory).sort()).toEqual(Object.keys(outputs).sort())
  })

  it.concurrent.each(Object.entries(outputs))('%s prints what it shows', async (name, expected) => {
    const file = join(directory, name)
    const [what, how] = readFileSync(file, 'utf8').split('\n')
    expect(what).toMatch(new RegExp(`^// (${basename(name, '.mjs').replace('-', '.')}|The AWS SDK)\\b`, 'i'))
    expect(how).toBe(`// node examples/clients/${name}`)
    const { code, stdout, stderr } = await runNode(file)
    expect({ code, stderr, lines: stdout.trimEnd().split('\n') }).toEqual({ code: 0, stderr: '', lines: expected })
  })
})
