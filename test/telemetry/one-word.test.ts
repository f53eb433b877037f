/**
 * "Why did my connection close?" One word answers it: the event, the channel, the log, the line in words, the numbers, both kinds
 * of metrics and the page that explains it all have the same one, for the same connection.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { Registry } from 'prom-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ChannelMessages, CloseReason, Pool, PoolOptions } from '../../src/index.js'
import { collect } from '../../src/prometheus.js'
import { describe as lineOf } from '../../src/timeline/describe.js'
import type { TimelineRecord } from '../../src/timeline/record.js'
import { Recorder } from '../../src/timeline/recorder.js'
import { get, testPool, testServer, until } from '../dispatcher/support.js'
import { TestMeter } from '../support/measurements.js'
import type { Handler, RunningServer } from '../support/servers/node.js'

const CLOSE = 'keepwise:connection:close'

interface Story {
  readonly options?: PoolOptions
  readonly answer?: Handler
  /** What happens when the request is answered; without it the connection comes to its end by itself. */
  readonly next?: (pool: Pool, server: RunningServer) => unknown
}

const says =
  (headers: Record<string, string>): Handler =>
  (_, response) =>
    void response.writeHead(200, headers).end('ok')

const stories = {
  'idle-timeout': { options: { keepAliveTimeout: 30 }, answer: says({ connection: 'keep-alive' }) },
  'advertised-timeout': { options: { keepAliveMargin: 970 }, answer: says({ 'keep-alive': 'timeout=1' }) },
  'advertised-max': { answer: says({ 'keep-alive': 'timeout=5, max=0' }) },
  'max-requests': { options: { maxRequests: 1 } },
  'max-lifetime': { options: { maxLifetime: 50 } },
  'server-close': { answer: says({ connection: 'close' }) },
  'server-fin': { next: (_, { connections }) => connections[0]?.socket.end() },
  reset: { next: (_, { connections }) => connections[0]?.socket.resetAndDestroy() },
  poisoned: { next: (_, { connections }) => connections[0]?.socket.write('HTTP/1.1 200 OK\r\n') },
  surplus: { options: { maxIdleConnections: 0 } },
  error: { answer: (request) => void request.socket.end('this is no HTTP\r\n\r\n') },
  'pool-closed': { next: (pool) => pool.close() },
} satisfies Partial<Record<CloseReason, Story>>

const page = readFileSync(new URL('../../docs/close-reasons.md', import.meta.url), 'utf8')

describe.each(Object.entries<Story>(stories))(
  'a connection that closes for %s',
  (reason, { options, answer, next }) => {
    it('says so wherever one looks', async () => {
      const server = await testServer(answer)
      const meter = new TestMeter()
      const registry = new Registry()
      const pool = testPool({ ...options, name: 'asked', meter: meter.meter })
      collect(pool, { registry })
      const events: string[] = []
      pool.on('close', (event) => events.push(event.reason))
      const messages: string[] = []
      const hear = (message: unknown): void => {
        const { pool: of, reason: word } = message as ChannelMessages[typeof CLOSE]
        if (of.id === pool.id) messages.push(word)
      }
      subscribe(CLOSE, hear)
      const records: TimelineRecord[] = []
      const recorder = new Recorder((record) => record.pool.id === pool.id && records.push(record))
      recorder.start()
      onTestFinished(() => {
        unsubscribe(CLOSE, hear)
        recorder.stop()
      })

      await get(pool, server.origin).catch(() => {})
      await next?.(pool, server)
      await until(() => events.length > 0)

      expect(events).toEqual([reason])
      expect(messages).toEqual([reason])
      const closes = records.filter((record) => record.event === 'close')
      expect(closes).toEqual([expect.objectContaining({ reason })])
      expect(lineOf(closes[0] as TimelineRecord)).toMatch(new RegExp(`^asked\\S* #1 ${server.origin} close ${reason},`))
      expect(pool.stats().closed).toMatchObject({ [reason]: 1 })
      expect(`${pool}`).toContain(`closed: 1 ${reason}`)
      const measured = await meter.collect()
      expect(measured.value('keepwise.connections.closed', { 'keepwise.close.reason': reason })).toBe(1)
      expect(await registry.metrics()).toMatch(
        new RegExp(`^keepwise_connections_closed_total\\{.*keepwise_close_reason="${reason}".*\\} 1$`, 'm'),
      )
      expect(page).toMatch(new RegExp(`^### ${reason}$`, 'm'))
    })
  },
)
