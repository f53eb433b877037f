/**
 * A record in one line of text, for a terminal and for a log: which pool, which connection, to where, and what happened, by
 * the names of the events and of the close reasons. Pure. Control characters are taken out, since parts of a line come from
 * servers: no line can be made to look like two, or to give orders to a terminal.
 */
import type { PeerEvidence } from '../liveness/evidence.js'
import type { PoolIdentity } from '../registry.js'
import type { Evidence } from '../replay/verdict.js'
import type { ConnectionSnapshot } from '../snapshot.js'
import { many, span } from './format.js'
import type { RecordedError, TimelineRecord } from './record.js'

/** `default #3 http://127.0.0.1:8080 close idle-timeout, 5 requests, idle 4.95 s, age 9.9 s` */
export function describe(record: TimelineRecord): string {
  const connection = 'connection' in record ? record.connection : undefined
  const origin = connection?.origin ?? ('origin' in record ? record.origin : '')
  const number = connection === undefined ? '' : ` #${connection.id}`
  const [first = '', ...rest] = detailsOf(record).filter((detail) => detail !== undefined)
  const what = [`${record.event} ${first}`.trimEnd(), ...rest].join(', ')
  return `${poolName(record.pool)}${number} ${origin} ${what}`.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
}

/** Its name; behind it its number, from the second pool of a process on. */
const poolName = ({ id, name }: PoolIdentity): string => (id === 1 ? name : `${name}/${id}`)

/** What follows the name of the event: the first directly, the others behind commas. */
function detailsOf(record: TimelineRecord): (string | undefined)[] {
  switch (record.event) {
    case 'dial':
      return [`${record.dial}`]
    case 'dial-failed':
      return [`${record.dial}`, errorText(record.error)]
    case 'open':
      return [`by dial ${record.dial} in ${span(record.dialTime)}`, ends(record.connection)]
    case 'active': {
      const { connection, reused, waited } = record
      return [
        reused ? 'reused' : 'new',
        some(connection.requests, (count) => `request ${count}`),
        some(waited, (time) => `waited ${span(time)}`),
      ]
    }
    case 'idle':
      return ['', requests(record.connection), ...promises(record.connection)]
    case 'close': {
      const { connection, reason, error } = record
      const { idle, age } = connection
      const idled = idle > 0 ? `idle ${span(idle)}` : undefined
      return [reason, requests(connection), idled, `age ${span(age)}`, error && errorText(error)]
    }
    case 'suspect':
    case 'dead':
      return peer(record.evidence)
    case 'wait':
      return ['', `${record.waiting} waiting`]
    case 'left':
      return []
    case 'refused':
      return [errorText(record.error)]
    case 'replay':
      return [`${record.method} ${record.verdict}`, `attempt ${record.attempt}`, ...wire(record.evidence)]
    case 'learn': {
      const { address, timeout, samples } = record
      const what = typeof timeout === 'number' ? `closes after ${span(timeout)}` : 'closes no more'
      return [address, what, some(samples?.length, (count) => many(count, 'sample'))]
    }
  }
}

/** Records that come out of a log may lack what is not relied on. */
const some = <Value>(value: Value | undefined | null, text: (value: Value) => string): string | undefined =>
  value === undefined || value === null ? undefined : text(value)

/** `ECONNRESET: read ECONNRESET` */
const errorText = ({ code, message }: RecordedError): string =>
  code === undefined || code === message ? message : `${code}: ${message}`

const requests = (connection: ConnectionSnapshot): string | undefined =>
  some(connection.requests, (count) => many(count, 'request'))

/** Both ends: `:54321 > 127.0.0.1:8080` */
const ends = ({ localPort, remoteAddress, remotePort }: ConnectionSnapshot): string | undefined =>
  some(remoteAddress, (address) => {
    const host = address.includes(':') ? `[${address}]` : address
    return `:${localPort ?? '?'} > ${host}:${remotePort ?? '?'}`
  })

/** What the server has promised. */
const promises = ({ advertisedTimeout, remaining }: ConnectionSnapshot): (string | undefined)[] => [
  some(advertisedTimeout, (time) => `advertised ${span(time)}`),
  some(remaining, (count) => `${count} remaining`),
]

const peer = (evidence: PeerEvidence): (string | undefined)[] => [
  some(evidence.cause, (cause) => `${cause} while ${evidence.doing ?? '?'}`),
  some(evidence.lastHeard, (time) => `last heard ${span(time)} ago`),
  some(evidence.probes, (count) => many(count, 'probe')),
  some(evidence.retransmits, (count) => many(count, 'retransmission')),
]

const wire = (evidence: Evidence | undefined): (string | undefined)[] => [
  some(evidence?.acknowledged, (bytes) => `${bytes} of ${evidence?.sent ?? '?'} bytes acknowledged`),
  evidence?.fin ? 'fin' : undefined,
  evidence?.reset ? 'reset' : undefined,
]
