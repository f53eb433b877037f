/** Hundreds of idle connections have one timer of keepwise's between them. undici has timers of its own; they are told apart by who asked. */
import { createHook } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createPool } from '../../src/index.js'
import { withOtherProcess } from '../servers/other-process.js'
import { sendOk } from '../servers/pools.js'

const CONNECTIONS = 500

describe(`${CONNECTIONS} idle connections`, () => {
  it('share one timer, whether they were used or only opened', async () => {
    // In another process, because a server has timers for its connections as well.
    await withOtherProcess({}, async ({ origin }) => {
      const timers = watchTimers()
      try {
        await using pool = createPool({ maxConnections: CONNECTIONS })
        await pool.warm(origin, CONNECTIONS)
        expect(pool.stats()).toMatchObject({ idle: CONNECTIONS, active: 0 })
        expect(timers.ours()).toBe(1)

        await Promise.all(Array.from({ length: CONNECTIONS }, () => sendOk(pool, origin)))
        expect(pool.stats()).toMatchObject({ idle: CONNECTIONS, active: 0, opened: CONNECTIONS })
        await sleep(50)
        expect(timers.ours()).toBe(1)
        // undici has one for each connection that it has used: the watch does see timers.
        expect(timers.all()).toBeGreaterThan(CONNECTIONS)

        await pool.close()
        await sleep(50)
        expect(timers.ours()).toBe(0)
      } finally {
        timers.stop()
      }
    })
  })
})

/** Counts the timers of this process that are set, from now on. */
function watchTimers() {
  const set = new Map<number, { ours: boolean }>()
  const hook = createHook({
    init(id, type) {
      if (type === 'Timeout') set.set(id, { ours: askedBySource() })
    },
    // Fired, or cleared; the latter is told with some delay.
    before: (id) => void set.delete(id),
    destroy: (id) => void set.delete(id),
  }).enable()
  return {
    all: () => set.size,
    ours: () => [...set.values()].filter((timer) => timer.ours).length,
    stop: () => hook.disable(),
  }
}

/** Whether the code that has called setTimeout is our own: the first frame that is neither this file nor Node. */
function askedBySource(): boolean {
  const frames = (new Error().stack ?? '').split('\n').slice(1)
  const caller = frames.find((frame) => !frame.includes('one-timer.test') && !frame.includes('node:'))
  return caller?.includes('/src/') === true && !caller.includes('node_modules')
}
