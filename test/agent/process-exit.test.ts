/** Sockets that nobody uses keep no process alive, those that somebody uses do, whichever face had them before. */
import { beforeAll, describe, expect, it } from 'vitest'
import { builtPackage, testServer } from '../dispatcher/support.js'
import { type RunResult, runOnNode } from '../support/nodes.js'
import { testCertificates } from '../support/tls.js'

beforeAll(builtPackage)

/** Runs a program in a process of its own; it has to end by itself. */
function run(body: string, origin: string): Promise<RunResult> {
  const isTls = origin.startsWith('https:')
  const source = `
    import { createPool, HttpAgent, HttpsAgent } from 'keepwise'
    import { request } from 'node:${isTls ? 'https' : 'http'}'
    const origin = ${JSON.stringify(origin)}
    const ca = ${JSON.stringify(isTls ? testCertificates().ca : '')}
    const dropIn = (options) => new ${isTls ? 'HttpsAgent' : 'HttpAgent'}({ keepAlive: true, ca, ...options })
    const pooled = (options) => createPool({ connect: { ca }, ...options })
    const agentOf = (pool) => pool.${isTls ? 'httpsAgent' : 'httpAgent'}
    const get = (agent, options) => new Promise((resolve, reject) => {
      request(origin, { agent, ...options }, (response) => {
        let body = ''
        response.on('data', (chunk) => body += chunk).on('end', () => resolve(body))
      }).on('error', reject).end()
    })
    const dispatch = async (pool) => (await pool.dispatcher.request({ origin, path: '/', method: 'GET' })).body.text()
    const print = (text) => process.stdout.write(text + ' ')
    ${body}
  `
  return runOnNode(20, { source }, { timeout: 8000 })
}

const ends: [string, string][] = [
  ['an agent that was never used', `dropIn(); print('ok')`],
  ['a free socket', `print(await get(dropIn()))`],
  ['free sockets', `const agent = dropIn(); await Promise.all([get(agent), get(agent)]); print(await get(agent))`],
  ['a free socket, with a timeout', `print(await get(dropIn({ timeout: 60_000 })))`],
  ['a free socket that a request had set a timeout on', `print(await get(dropIn(), { timeout: 60_000 }))`],
  [
    'a free socket that the dispatcher had before',
    `const pool = pooled(); await dispatch(pool); print(await get(agentOf(pool)))`,
  ],
  [
    'a free socket that the dispatcher had last',
    `const pool = pooled(); await get(agentOf(pool)); print(await dispatch(pool))`,
  ],
  [
    'a request that was destroyed in line',
    `const agent = dropIn({ maxSockets: 1 })
     const first = get(agent)
     const second = request(origin, { agent }).on('error', () => {})
     second.end()
     setImmediate(() => second.destroy())
     print(await first)`,
  ],
]

const stays: [string, string][] = [
  ['a request', `void get(dropIn()).then(print)`],
  ['a request on a kept socket', `const agent = dropIn(); print(await get(agent)); void get(agent).then(print)`],
  [
    'a request in line',
    `const agent = dropIn({ maxSockets: 1 }); void get(agent).then(print); void get(agent).then(print)`,
  ],
  [
    'a request on what the dispatcher has left',
    `const pool = pooled(); print(await dispatch(pool)); void get(agentOf(pool)).then(print)`,
  ],
  [
    'a request on what the dispatcher has left, a turn later',
    `const pool = pooled(); print(await dispatch(pool)); setImmediate(() => get(agentOf(pool)).then(print))`,
  ],
  [
    'a request of the dispatcher on what an agent has left',
    `const pool = pooled(); print(await get(agentOf(pool))); void dispatch(pool).then(print)`,
  ],
  [
    'a request on a connection opened ahead',
    `const pool = pooled(); await pool.warm(origin); void get(agentOf(pool)).then(print)`,
  ],
  [
    'three in turn',
    `const pool = pooled(); get(agentOf(pool)).then(print).then(() => dispatch(pool)).then(print).then(() => get(agentOf(pool))).then(print)`,
  ],
]

describe.each([false, true])('a process, TLS: %s', (tls) => {
  it.each(ends)('with %s ends', async (_, body) => {
    const { origin } = await testServer({ tls, keepAliveTimeout: 0 })
    expect(await run(body, origin)).toMatchObject({ code: 0, stdout: 'ok ', stderr: '' })
  })

  it.each(stays)('with %s stays until it is done', async (name, body) => {
    const { origin } = await testServer({
      tls,
      keepAliveTimeout: 0,
      handler: (_, response) => void setTimeout(() => response.end('ok'), 60),
    })
    const count = body.split('print').length - 1
    expect(await run(body, origin), name).toMatchObject({ code: 0, stdout: 'ok '.repeat(count), stderr: '' })
  })
})
