/** A socket is destroyed a moment before it says why: what a request writes in between must not be lost when it is sent again. */
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createPool } from '../../src/index.js'
import { withServer } from '../support/servers/node.js'

const brokenPipe = (): Error => Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' })

function send(origin: string, agent: http.Agent, write: (request: http.ClientRequest) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.request(origin, { agent, method: 'PUT' }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => (text += chunk))
      response.on('end', () => resolve(text))
    })
    request.on('error', reject)
    write(request)
  })
}

it.each(['in the same turn', 'in a microtask'])('collects what is written %s, and sends all of it', async (when) => {
  const echo: http.RequestListener = async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    response.end(text)
  }
  await withServer(echo, async ({ origin }) => {
    await using pool = createPool()
    expect(await send(origin, pool.httpAgent, (request) => request.end('first'))).toBe('first')
    const answer = send(origin, pool.httpAgent, async (request) => {
      request.write('early, ')
      await sleep(20)
      request.socket!.destroy(brokenPipe())
      if (when === 'in a microtask') await null
      request.write('late, ')
      request.end('last')
    })
    expect(await answer).toBe('early, late, last')
    expect(pool.stats()).toMatchObject({ replayed: 1, pending: 0, closed: { reset: 1 } })
  })
})
