/**
 * Records as a pool would write them, at times in milliseconds from zero.
 */
import type { PeerEvidence } from '../../src/liveness/evidence.js'
import type { CloseReason } from '../../src/reasons.js'
import type { ConnectionSnapshot } from '../../src/snapshot.js'
import type { RecordOf } from '../../src/timeline/record.js'

export const pool = { id: 1, name: 'default' }
export const origin = 'http://127.0.0.1:8080'

const evidence: PeerEvidence = {
  ...{ doing: 'idle', cause: 'unanswered', lastHeard: 1, probes: 1, retransmits: 0, unacknowledged: 0, rtt: 1 },
}

export function connection(id: number, more: Partial<ConnectionSnapshot> = {}): ConnectionSnapshot {
  return {
    ...{ id, origin, localPort: 40_000 + id, remoteAddress: '127.0.0.1', remotePort: 8080 },
    ...{ age: 0, idle: 0, requests: 1, advertisedTimeout: undefined, remaining: undefined, rtt: undefined },
    liveness: {
      ...{ enabled: false, idle: undefined, interval: undefined, probes: undefined },
      ...{ retransmitInterval: undefined, userTimeout: undefined, source: 'unsupported' },
    },
    ...more,
  }
}

type More = Partial<ConnectionSnapshot>

export const dial = (time: number, number: number): RecordOf<'dial'> => ({
  ...{ time, pool, event: 'dial', origin, dial: number },
})

export const dialFailed = (time: number, number: number, code = 'ECONNREFUSED'): RecordOf<'dial-failed'> => ({
  ...{ time, pool, event: 'dial-failed', origin, dial: number, error: { code, message: `connect ${code}` } },
})

export const open = (time: number, id: number, number: number, dialTime: number, more?: More): RecordOf<'open'> => ({
  ...{ time, pool, event: 'open', connection: connection(id, more), dial: number, dialTime },
})

export const active = (time: number, id: number, more?: More, waited?: number): RecordOf<'active'> => ({
  ...{ time, pool, event: 'active', connection: connection(id, more), reused: true },
  ...(waited === undefined ? {} : { waited }),
})

export const idle = (time: number, id: number, more?: More): RecordOf<'idle'> => ({
  ...{ time, pool, event: 'idle', connection: connection(id, more) },
})

export const suspect = (time: number, id: number, more?: More): RecordOf<'suspect'> => ({
  ...{ time, pool, event: 'suspect', connection: connection(id, more), evidence },
})

export const close = (time: number, id: number, reason: CloseReason, more?: More): RecordOf<'close'> => ({
  ...{ time, pool, event: 'close', connection: connection(id, more), reason },
})

export const wait = (time: number, waiting: number): RecordOf<'wait'> => ({
  ...{ time, pool, event: 'wait', origin, waiting },
})

export const refused = (time: number, code: string): RecordOf<'refused'> => ({
  ...{ time, pool, event: 'refused', origin, error: { code, message: code } },
})

export const left = (time: number): RecordOf<'left'> => ({ time, pool, event: 'left', origin })

export const learn = (time: number, timeout?: number, address = '127.0.0.1'): RecordOf<'learn'> => ({
  ...{ time, pool, event: 'learn', origin, address, timeout, samples: [] },
})

export const replay = (time: number, method = 'POST'): RecordOf<'replay'> => ({
  ...{ time, pool, event: 'replay', origin, method, verdict: 'refused', attempt: 1 },
  evidence: {
    ...{ written: 10, sent: 10, acknowledged: 0, fin: true, reset: true, requestTimeout: false, watched: 1 },
  },
})
