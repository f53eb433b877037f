/** A connection after the first one resumes the TLS session: the server says so itself. */

import { request } from 'undici'
import { describe, expect } from 'vitest'
import { createPool, type Pool } from '../../src/index.js'
import { itWith } from '../support/requirements.js'
import { withApache } from '../support/servers/apache.js'
import { withNginx } from '../support/servers/nginx.js'
import { withServer } from '../support/servers/node.js'
import { sendOk, trustingTests } from './pools.js'

const CONNECTIONS = 4

describe('TLS sessions are resumed', () => {
  itWith(['nginx', 'openssl'], 'with nginx', async () => {
    const options = { keepaliveRequests: 2, tls: true, server: 'add_header x-resumed $ssl_session_reused;' }
    await withNginx(options, async ({ origin }) => {
      await using pool = createPool(trustingTests())
      expect(await resumptions(pool, origin, 2 * CONNECTIONS)).toEqual(['.', '.', 'r', 'r', 'r', 'r', 'r', 'r'])
      expect(pool.stats().opened).toBe(CONNECTIONS)
    })
  })

  itWith(['apache2', 'openssl'], 'with Apache', async () => {
    const header = 'Header always set x-resumed "%{SSL_SESSION_RESUMED}s"'
    await withApache(
      { maxKeepAliveRequests: 1, tls: true, modules: ['headers'], server: header },
      async ({ origin }) => {
        await using pool = createPool(trustingTests())
        expect(await resumptions(pool, origin, 2 * CONNECTIONS)).toEqual([
          ...['Initial', 'Initial', 'Resumed', 'Resumed', 'Resumed', 'Resumed', 'Resumed', 'Resumed'],
        ])
        expect(pool.stats().opened).toBe(CONNECTIONS)
      },
    )
  })

  itWith('openssl', "with Node's server", async () => {
    await withServer({ tls: true, maxRequestsPerSocket: 2 }, async ({ origin, connections }) => {
      await using pool = createPool(trustingTests())
      for (let n = 0; n < 2 * CONNECTIONS; n++) await sendOk(pool, origin)
      expect(connections.map(({ resumed }) => resumed)).toEqual([false, true, true, true])
    })
  })

  itWith('openssl', 'not from one pool to another', async () => {
    await withServer({ tls: true }, async ({ origin, connections }) => {
      for (let n = 0; n < 2; n++) {
        await using pool = createPool(trustingTests())
        await sendOk(pool, origin)
      }
      expect(connections.map(({ resumed }) => resumed)).toEqual([false, false])
    })
  })
})

/** What the server says of the connection of each of some requests, one after the other. */
async function resumptions(pool: Pool, url: string, requests: number): Promise<unknown[]> {
  const said: unknown[] = []
  for (let n = 0; n < requests; n++) {
    const { headers, body } = await request(url, { dispatcher: pool.dispatcher })
    await body.dump()
    said.push(headers['x-resumed'])
  }
  return said
}
