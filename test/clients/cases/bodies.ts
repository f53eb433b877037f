/** Large bodies both ways, at the speed of the slower end. */
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { expectWhole, schemes, setUp } from '../support/agents.js'
import type { Client } from '../support/caller.js'
import { BOTTOMLESS, digestOf, LARGE, MEGABYTE } from '../support/service.js'

/** A stream that says how much of it was wanted. */
function counted(size: number): { stream: Readable; wanted: () => number; content: () => Buffer } {
  const piece = Buffer.alloc(MEGABYTE / 8, 'what is uploaded, ')
  let wanted = 0
  const stream = new Readable({
    highWaterMark: piece.length,
    read() {
      wanted += piece.length
      this.push(wanted <= size ? piece : null)
    },
  })
  return { stream, wanted: () => wanted, content: () => Buffer.concat(Array(size / piece.length).fill(piece)) }
}

/** Waits until a count stands still, and gives it. */
async function standstill(count: () => number): Promise<number> {
  for (let before = -1; ; ) {
    const now = count()
    if (now === before && now > 0) return now
    before = now
    await sleep(100)
  }
}

export function bodyCases({ make, unpacks }: Client): void {
  describe.each(schemes)('over $scheme', ({ setUp }) => {
    it('downloads 5 MB, and uploads 5 MB, on one connection', async () => {
      const { service, pool } = await setUp()
      const caller = make(service.origin, pool)
      expect((await buffer(await caller.download('/large'))).equals(LARGE)).toBe(true)
      await expectWhole(pool, { idle: 1 })
      const { stream, content } = counted(5 * MEGABYTE)
      const answer = await caller.upload('/digest', stream, 5 * MEGABYTE)
      expect(answer).toEqual({ status: 200, body: digestOf(content()) })
      await expectWhole(pool, { opened: 1, idle: 1, requests: 2 })
    })
  })

  it('lets the server wait while nobody reads, and is told that nobody wants the rest', async () => {
    const { service, pool } = await setUp()
    const body = await make(service.origin, pool).download('/bottomless')
    expect(await standstill(() => service.offered)).toBeLessThan(BOTTOMLESS / 2)
    body.destroy()
    await expectWhole(pool, { idle: 0, closed: { aborted: 1 } })
  })

  it('lets the source wait while the server does not read', async () => {
    const { service, pool } = await setUp()
    const { stream, wanted, content } = counted(20 * MEGABYTE)
    const upload = make(service.origin, pool).upload('/gated', stream, 20 * MEGABYTE)
    expect(await standstill(wanted)).toBeLessThan(15 * MEGABYTE)
    service.release()
    expect(await upload).toEqual({ status: 200, body: digestOf(content()) })
    await expectWhole(pool, { opened: 1, idle: 1 })
  })

  it('POSTs, and gets the answer to it', async () => {
    const { service, pool } = await setUp()
    const caller = make(service.origin, pool)
    const { status, body } = await caller.post('/digest', 'what is posted')
    expect({ status, digest: body }).toEqual({ status: 200, digest: expect.stringMatching(/^[0-9a-f]{32}$/) })
    await expectWhole(pool, { opened: 1, idle: 1, requests: 1 })
  })

  if (unpacks)
    it('unpacks compressed responses, and uses the connection again', async () => {
      const { service, pool } = await setUp()
      const caller = make(service.origin, pool)
      for (let n = 0; n < 5; n++)
        expect(await caller.get('/gzip')).toEqual({ status: 200, body: 'unpacked '.repeat(10_000) })
      await expectWhole(pool, { opened: 1, idle: 1, requests: 5 })
    })
}
