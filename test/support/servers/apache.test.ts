import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { oneConnectionAgent, plainRequest, RawClient } from '../raw-client.js'
import { describeWith } from '../requirements.js'
import { byConnection, idleTimes } from './access-log.js'
import { startApache, withApache } from './apache.js'

describeWith('apache2', 'a real Apache', () => {
  it('counts max down to 1 and closes with the request after it', async () => {
    const agent = oneConnectionAgent()
    await withApache({ maxKeepAliveRequests: 3, keepAliveTimeout: 2 }, async (apache) => {
      const hints: unknown[] = []
      for (let n = 0; n < 5; n++) {
        const { status, headers } = await plainRequest(`${apache.origin}/?${n}`, { agent })
        expect(status).toBe(200)
        hints.push(headers['keep-alive'] ?? headers.connection)
      }
      expect(hints).toEqual(['timeout=2, max=3', 'timeout=2, max=2', 'timeout=2, max=1', 'close', 'timeout=2, max=3'])
      const groups = byConnection(await apache.accessLog(5))
      expect(groups.map((group) => group.map(({ nth, path }) => `${nth} ${path}`))).toEqual([
        ['1 /?0', '2 /?1', '3 /?2', '4 /?3'],
        ['1 /?4'],
      ])
      expect(groups[0]!.map(({ keepAliveHeader }) => keepAliveHeader)).toEqual([...hints.slice(0, 3), undefined])
      for (const idle of idleTimes(groups[0]!)) expect(idle).toBeGreaterThanOrEqual(0)
    })
    agent.destroy()
  })

  it('closes an idle connection after KeepAliveTimeout', async () => {
    await withApache({ keepAliveTimeout: '1200ms' }, async ({ origin }) => {
      const client = await RawClient.open(origin)
      client.get()
      await client.until(({ received }) => received.endsWith('ok\n'))
      const start = performance.now()
      expect(client.received).toContain('Keep-Alive: timeout=1, max=100\r\n')
      await client.until(({ ended }) => ended)
      const idled = performance.now() - start
      expect(idled).toBeGreaterThan(1100)
      expect(idled).toBeLessThan(2500)
      client.socket.destroy()
    })
  })

  it('answers POST and serves the files of the test', async () => {
    await withApache({ files: { 'sub/big.bin': Buffer.alloc(300_000, 'x') } }, async ({ origin }) => {
      expect(await plainRequest(origin, { method: 'POST' }, 'body')).toMatchObject({ status: 200, body: 'ok\n' })
      expect((await plainRequest(`${origin}/sub/big.bin`)).body).toHaveLength(300_000)
    })
  })

  it('closes idle connections on reload and goes on serving', async () => {
    await withApache({ keepAliveTimeout: 60 }, async (apache) => {
      const client = await RawClient.open(apache.origin)
      client.get()
      await client.until(({ received }) => received.endsWith('ok\n'))
      apache.reload()
      await client.until(({ ended }) => ended)
      client.socket.destroy()
      expect((await plainRequest(apache.origin)).status).toBe(200)
    })
  })

  it('says what is wrong with a configuration, and leaves nothing behind', async () => {
    await expect(startApache({ server: 'Nonsense' })).rejects.toThrow("Invalid command 'Nonsense'")
    const apache = await startApache()
    await apache.stop()
    expect(existsSync(apache.directory)).toBe(false)
    expect(() => process.kill(-apache.pid, 0)).toThrow('ESRCH')
  })
})

describeWith(['apache2', 'openssl'], 'a real Apache over TLS', () => {
  it('serves https with hints', async () => {
    await withApache({ tls: true }, async ({ origin }) => {
      const agent = oneConnectionAgent('https')
      expect((await plainRequest(origin, { agent })).headers['keep-alive']).toBe('timeout=5, max=100')
      agent.destroy()
    })
  })
})
