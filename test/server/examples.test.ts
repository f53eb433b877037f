/** The examples of kept servers run by themselves against the built package, say what they are there to show, and end. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { builtPackage } from '../dispatcher/support.js'
import { projectPath } from '../support/nodes.js'
import { runNode } from '../support/run-node.js'

const directory = projectPath('examples/server')

/** The lines of each, in order: the whole output. */
const outputs: Readonly<Record<string, readonly string[]>> = {
  'closing.mjs': [
    'the first server has answered: true, the second one too: true',
    'ended by force: 0 connections, 0 requests',
    'lost: 0',
  ],
  'frameworks.mjs': [
    ...['express', 'fastify', 'koa'].map((name) => `${name}: hello, timeout=65, max=999`),
    'left to be ended by force: 0',
  ],
  'hints.mjs': [
    'request 1: keep-alive, timeout=65, max=2',
    'request 2: keep-alive, timeout=65, max=1',
    'connection 1: advertised-max',
    'request 3: close, nothing',
    'request 4: keep-alive, timeout=65, max=2',
    '4 requests on 2 connections, 1 of them used up',
    'connection 2: pool-closed',
  ],
}

beforeAll(builtPackage)

describe('examples of servers', () => {
  it('are all looked at', () => {
    expect(readdirSync(directory).sort()).toEqual(Object.keys(outputs).sort())
  })

  it.concurrent.each(Object.entries(outputs))('%s prints what it shows', async (name, expected) => {
    const file = join(directory, name)
    const [what, how] = readFileSync(file, 'utf8').split('\n')
    expect(what).toMatch(/^\/\/ \w/)
    expect(how).toBe(`// node examples/server/${name}`)
    const { code, stdout, stderr } = await runNode(file)
    expect({ code, stderr, lines: stdout.trimEnd().split('\n') }).toEqual({ code: 0, stderr: '', lines: expected })
  })
})
