/** Records in one line of text each. */
import { expect, it, describe as suite } from 'vitest'
import type { PeerEvidence } from '../../src/liveness/evidence.js'
import { closeReasons } from '../../src/reasons.js'
import type { ConnectionSnapshot } from '../../src/snapshot.js'
import { describe } from '../../src/timeline/describe.js'
import type { TimelineRecord } from '../../src/timeline/record.js'

const connection: ConnectionSnapshot = {
  ...{ id: 3, origin: 'http://127.0.0.1:8080', localPort: 54_321, remoteAddress: '127.0.0.1', remotePort: 8080 },
  ...{ age: 12_300, idle: 4_950, requests: 5, advertisedTimeout: undefined, remaining: undefined, rtt: 0.2 },
  liveness: {
    ...{ enabled: true, idle: 30_000, interval: 5_000, probes: 3 },
    ...{ retransmitInterval: undefined, userTimeout: 0, source: 'kernel' },
  },
}

const peer: PeerEvidence = {
  ...{ doing: 'waiting', cause: 'unanswered', lastHeard: 3_200, probes: 2, retransmits: 1 },
  ...{ unacknowledged: 1, rtt: 0.2 },
}

const origin = 'http://127.0.0.1:8080'

type Fields = {
  [Event in TimelineRecord['event']]: Omit<Extract<TimelineRecord, { event: Event }>, 'time' | 'pool'>
}[TimelineRecord['event']]

const record = (fields: Fields, pool = { id: 1, name: 'default' }): TimelineRecord =>
  ({ time: 1_700_000_000_000, pool, ...fields }) as TimelineRecord

const evidence = { written: 512, sent: 512, acknowledged: 0, fin: true, reset: true, requestTimeout: false, watched: 3 }

const lines: [Fields, string][] = [
  [{ event: 'dial', origin, dial: 7 }, `default ${origin} dial 7`],
  [
    {
      event: 'dial-failed',
      origin,
      dial: 7,
      error: { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 127.0.0.1:8080' },
    },
    `default ${origin} dial-failed 7, ECONNREFUSED: connect ECONNREFUSED 127.0.0.1:8080`,
  ],
  [
    { event: 'dial-failed', origin, dial: 7, error: { code: 'ECONNREFUSED', message: 'ECONNREFUSED' } },
    `default ${origin} dial-failed 7, ECONNREFUSED`,
  ],
  [
    { event: 'open', connection, dial: 7, dialTime: 1.25 },
    `default #3 ${origin} open by dial 7 in 1.3 ms, :54321 > 127.0.0.1:8080`,
  ],
  [
    { event: 'open', connection: { ...connection, remoteAddress: '::1' }, dial: 7, dialTime: 2 },
    `default #3 ${origin} open by dial 7 in 2 ms, :54321 > [::1]:8080`,
  ],
  [
    { event: 'open', connection: { ...connection, remoteAddress: undefined }, dial: 7, dialTime: 2 },
    `default #3 ${origin} open by dial 7 in 2 ms`,
  ],
  [{ event: 'active', connection, reused: true }, `default #3 ${origin} active reused, request 5`],
  [
    { event: 'active', connection, reused: false, waited: 0 },
    `default #3 ${origin} active new, request 5, waited 0 ms`,
  ],
  [{ event: 'refused', origin, error: { message: 'no more' } }, `default ${origin} refused no more`],
  [{ event: 'wait', origin, waiting: 2 }, `default ${origin} wait, 2 waiting`],
  [{ event: 'left', origin }, `default ${origin} left`],
  [{ event: 'idle', connection }, `default #3 ${origin} idle, 5 requests`],
  [
    { event: 'idle', connection: { ...connection, requests: 1, advertisedTimeout: 5_000, remaining: 99 } },
    `default #3 ${origin} idle, 1 request, advertised 5 s, 99 remaining`,
  ],
  [
    { event: 'suspect', connection, evidence: peer },
    `default #3 ${origin} suspect unanswered while waiting, last heard 3.2 s ago, 2 probes, 1 retransmission`,
  ],
  [
    {
      ...{ event: 'dead', connection },
      evidence: {
        ...peer,
        cause: 'reset',
        doing: 'idle',
        lastHeard: undefined,
        probes: undefined,
        retransmits: undefined,
      },
    },
    `default #3 ${origin} dead reset while idle`,
  ],
  [
    { event: 'close', connection, reason: 'idle-timeout' },
    `default #3 ${origin} close idle-timeout, 5 requests, idle 4.95 s, age 12.3 s`,
  ],
  [
    {
      ...{ event: 'close', connection: { ...connection, idle: 0 }, reason: 'reset' },
      error: { code: 'ECONNRESET', message: 'read ECONNRESET' },
    },
    `default #3 ${origin} close reset, 5 requests, age 12.3 s, ECONNRESET: read ECONNRESET`,
  ],
  [
    { event: 'replay', origin, method: 'POST', verdict: 'refused', attempt: 1, evidence },
    `default ${origin} replay POST refused, attempt 1, 0 of 512 bytes acknowledged, fin, reset`,
  ],
  [
    {
      ...{ event: 'replay', origin, method: 'GET', verdict: 'unknown', attempt: 2 },
      evidence: { ...evidence, sent: undefined, acknowledged: undefined, fin: false, reset: false },
    },
    `default ${origin} replay GET unknown, attempt 2`,
  ],
  [
    { event: 'learn', origin, address: '127.0.0.1', timeout: 5_000, samples: [5_000, 5_001, 5_002] },
    `default ${origin} learn 127.0.0.1, closes after 5 s, 3 samples`,
  ],
  [
    { event: 'learn', origin, address: '127.0.0.1', samples: [1] },
    `default ${origin} learn 127.0.0.1, closes no more, 1 sample`,
  ],
]

suite('a line', () => {
  it.each(lines)('of %j is as expected', (fields, line) => {
    expect(describe(record(fields))).toBe(line)
  })

  it.each(closeReasons)('has the close reason %s in it, behind the event', (reason) => {
    expect(describe(record({ event: 'close', connection, reason }))).toContain(` close ${reason}, `)
  })

  it('has the number of its pool behind the name, from the second one on', () => {
    expect(describe(record({ event: 'left', origin }, { id: 2, name: 'default' }))).toBe(`default/2 ${origin} left`)
    expect(describe(record({ event: 'left', origin }, { id: 1, name: 'api' }))).toBe(`api ${origin} left`)
  })

  it('is one line, whatever a server or a pool has put into it', () => {
    const message = 'Parse Error\r\n4711: default #9 close forged\u001b[31m\u0000\u0085\u2028\u2029end'
    const line = describe(record({ event: 'refused', origin, error: { code: 'HPE', message } }))
    expect(line).toBe(`default ${origin} refused HPE: Parse Error 4711: default #9 close forged [31m end`)
  })

  it('is made of a record that has no more than is relied on, too', () => {
    const bare = { id: 3, origin, age: 10, idle: 0 } as never
    expect(describe(record({ event: 'active', connection: bare } as never))).toBe(`default #3 ${origin} active new`)
    expect(describe(record({ event: 'idle', connection: bare }))).toBe(`default #3 ${origin} idle`)
    expect(describe(record({ event: 'close', connection: bare, reason: 'stale' }))).toBe(
      `default #3 ${origin} close stale, age 10 ms`,
    )
    expect(describe(record({ event: 'suspect', connection: bare, evidence: {} as never }))).toBe(
      `default #3 ${origin} suspect`,
    )
    expect(describe(record({ event: 'learn', origin, address: '::1' } as never))).toBe(
      `default ${origin} learn ::1, closes no more`,
    )
    const replay = { event: 'replay', origin, method: 'GET', verdict: 'unknown', attempt: 1 } as never
    expect(describe(record(replay))).toBe(`default ${origin} replay GET unknown, attempt 1`)
  })
})
