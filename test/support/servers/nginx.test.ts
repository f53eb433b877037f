import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { oneConnectionAgent, plainRequest, RawClient } from '../raw-client.js'
import { describeWith } from '../requirements.js'
import { byConnection, idleTimes } from './access-log.js'
import { startNginx, withNginx } from './nginx.js'

describeWith('nginx', 'a real nginx', () => {
  it('advertises the second parameter of keepalive_timeout and closes after the first', async () => {
    await withNginx({ keepaliveTimeout: '1s 2s' }, async ({ origin }) => {
      const client = await RawClient.open(origin)
      const start = performance.now()
      client.get()
      await client.until(({ ended }) => ended)
      expect(client.received).toContain('Keep-Alive: timeout=2\r\n')
      expect(performance.now() - start).toBeGreaterThan(900)
      client.socket.destroy()
    })
  })

  it('counts keepalive_requests and logs them by connection', async () => {
    const agent = oneConnectionAgent()
    await withNginx({ keepaliveRequests: 3 }, async (nginx) => {
      for (let n = 0; n < 5; n++) {
        await plainRequest(
          `${nginx.origin}/?${n}`,
          { agent, method: n % 2 ? 'POST' : 'GET' },
          n % 2 ? 'body' : undefined,
        )
        await sleep(30)
      }
      const entries = await nginx.accessLog(5)
      const groups = byConnection(entries)
      expect(groups.map((group) => group.map(({ method, path, nth }) => `${nth} ${method} ${path}`))).toEqual([
        ['1 GET /?0', '2 POST /?1', '3 GET /?2'],
        ['1 POST /?3', '2 GET /?4'],
      ])
      expect(entries.every(({ status }) => status === 200)).toBe(true)
      for (const idle of idleTimes(groups[0]!)) expect(idle).toBeGreaterThan(20)
      expect(Math.abs(entries.at(-1)!.finishedAt - Date.now())).toBeLessThan(2000)
    })
    agent.destroy()
  })

  it('serves the files and the server text of the test', async () => {
    const files = { 'big.bin': Buffer.alloc(300_000, 'x') }
    await withNginx({ files, server: "location = /made { return 418 'pot'; }" }, async ({ origin }) => {
      expect((await plainRequest(`${origin}/files/big.bin`)).body).toHaveLength(300_000)
      expect(await plainRequest(`${origin}/made`)).toMatchObject({ status: 418, body: 'pot' })
    })
  })

  it('says what is wrong with a configuration', async () => {
    await expect(startNginx({ server: 'nonsense;' })).rejects.toThrow('unknown directive "nonsense"')
  })

  it('closes idle connections on reload and goes on serving', async () => {
    await withNginx({}, async (nginx) => {
      const client = await RawClient.open(nginx.origin)
      client.get()
      await client.until(({ received }) => received.endsWith('ok\n'))
      nginx.reload()
      await client.until(({ ended }) => ended)
      client.socket.destroy()
      expect((await plainRequest(nginx.origin)).status).toBe(200)
    })
  })

  it('leaves nothing behind', async () => {
    const nginx = await startNginx()
    await nginx.stop()
    expect(existsSync(nginx.directory)).toBe(false)
    expect(() => process.kill(-nginx.pid, 0)).toThrow('ESRCH')
    await expect(plainRequest(nginx.origin)).rejects.toThrow('ECONNREFUSED')
  })
})

describeWith(['nginx', 'openssl'], 'a real nginx over TLS', () => {
  it('serves https', async () => {
    await withNginx({ tls: true }, async ({ origin }) => {
      expect(await plainRequest(origin)).toMatchObject({ status: 200, body: 'ok\n' })
    })
  })
})
