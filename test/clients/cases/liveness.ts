/** Ti, Td and Nm stay on the socket, although some clients set TCP keepalive themselves. */
import { expect } from 'vitest'
import { onlySocket } from '../../liveness/kernel-socket.js'
import { itWith } from '../../support/requirements.js'
import { expectWhole, setUp } from '../support/agents.js'
import type { Client } from '../support/caller.js'

const triple = { idle: 7_000, interval: 3_000, probes: 4 }

export function livenessCases({ make }: Client): void {
  itWith(['linux', 'koffi'], 'keeps TCP keepalive as the pool has set it, during a request and after it', async () => {
    const { service, pool } = await setUp({ liveness: triple })
    const caller = make(service.origin, pool)
    const held = caller.get('/held')
    await expect.poll(() => service.requestCount()).toBe(1)
    expect(onlySocket(pool, service.origin).keepAlive).toEqual({ enabled: true, ...triple })
    service.release()
    await held
    await expectWhole(pool, { idle: 1 })
    expect(onlySocket(pool, service.origin).keepAlive).toEqual({ enabled: true, ...triple })
  })
}
