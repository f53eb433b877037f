/**
 * What is worth saying of what was measured: one rule for each code. Pure. A `problem` costs requests or connections until
 * somebody mends it; a `note` is to be known. `docs/doctor.md` has every code with its meaning and its mend.
 */
import type { Conditions, Facts } from './facts.js'
import { seconds } from './words.js'

export type FindingCode =
  | 'connection-close'
  | 'http-1.0'
  | 'advertised-too-long'
  | 'advertised-too-short'
  | 'advertised-unchecked'
  | 'not-advertised'
  | 'short-timeout'
  | 'silent-end'
  | 'reset-on-request'
  | 'idle-reset'
  | 'unsolicited-bytes'
  | 'restarted'
  | 'unsteady'
  | 'max-too-high'
  | 'max-unchecked'
  | 'closes-unannounced'
  | 'probe-unanswered'
  | 'keepalive-not-applied'
  | 'no-kernel'
  | 'several-addresses'
  | 'redirect'
  | 'error-status'
  | 'head-refused'
  | 'certificate-not-checked'

export interface Finding {
  readonly code: FindingCode
  readonly severity: 'problem' | 'note'
  /** What is the matter, in numbers. */
  readonly message: string
}

type Rule = (facts: Facts, conditions: Conditions) => string | undefined

/** Servers count coarsely, and Apache closes up to 0.1 s early; milliseconds. */
const EARLY = 150
/** Node's server closes a second later than it says, and others count in seconds. */
const LATE = 2_000
/** A server that closes sooner than that has most clients open a connection for each request. */
const SHORT = 2_500

const rules: Readonly<Record<FindingCode, readonly [Finding['severity'], Rule]>> = {
  'connection-close': ['problem', connectionClose],
  'http-1.0': ['note', http10],
  'advertised-too-long': ['problem', advertisedTooLong],
  'advertised-too-short': ['note', advertisedTooShort],
  'advertised-unchecked': ['note', advertisedUnchecked],
  'not-advertised': ['note', notAdvertised],
  'short-timeout': ['note', shortTimeout],
  'silent-end': ['problem', silentEnd],
  'reset-on-request': ['problem', resetOnRequest],
  'idle-reset': ['note', idleReset],
  'unsolicited-bytes': ['note', unsolicitedBytes],
  restarted: ['note', restarted],
  unsteady: ['note', unsteady],
  'max-too-high': ['problem', maxTooHigh],
  'max-unchecked': ['note', maxUnchecked],
  'closes-unannounced': ['problem', closesUnannounced],
  'probe-unanswered': ['problem', probeUnanswered],
  'keepalive-not-applied': ['problem', keepAliveNotApplied],
  'no-kernel': ['note', noKernel],
  'several-addresses': ['note', severalAddresses],
  redirect: ['note', redirect],
  'error-status': ['note', errorStatus],
  'head-refused': ['note', headRefused],
  'certificate-not-checked': ['note', certificateNotChecked],
}

/** Those of a problem first. */
export function findingsOf(facts: Facts, conditions: Conditions): Finding[] {
  const findings = Object.entries(rules).flatMap(([code, [severity, rule]]) => {
    const message = rule(facts, conditions)
    return message === undefined ? [] : [{ code: code as FindingCode, severity, message }]
  })
  const of = (wanted: Finding['severity']): Finding[] => findings.filter(({ severity }) => severity === wanted)
  return [...of('problem'), ...of('note')]
}

/** Whether the server closes when it says: false if it is sooner; null if that was not seen, or it says nothing. */
export function isHonest({ advertised, idle }: Pick<Facts, 'advertised' | 'idle'>): boolean | null {
  if (advertised?.timeout == null || idle === null) return null
  if (idle.end !== null) return idle.atLeast >= advertised.timeout - EARLY
  return idle.atLeast >= advertised.timeout ? true : null
}

function connectionClose({ advertised }: Facts): string | undefined {
  if (advertised === null || advertised.persists || advertised.httpVersion === '1.0') return undefined
  return 'The server closes the connection after each response (Connection: close): nothing can be kept.'
}

function http10({ advertised }: Facts): string | undefined {
  if (advertised?.httpVersion !== '1.0') return undefined
  const kept = advertised.persists ? 'it keeps the connection all the same' : 'nothing can be kept'
  return `The server answers in HTTP/1.0: ${kept}.`
}

function advertisedTooLong({ advertised, idle }: Facts): string | undefined {
  if (advertised?.timeout == null || isHonest({ advertised, idle }) !== false || idle?.atMost == null) return undefined
  return (
    `The server advertises ${seconds(advertised.timeout)}, but an idle connection is ended after ` +
    `${seconds(idle.atMost)}: clients that believe it lose requests. Something in between may be the one that does it.`
  )
}

function advertisedTooShort({ advertised, idle }: Facts): string | undefined {
  if (advertised?.timeout == null || idle === null || idle.atLeast <= advertised.timeout + LATE) return undefined
  const kept = idle.end === null ? `for more than ${seconds(idle.atLeast)}` : `for ${seconds(idle.atLeast)}`
  return (
    `The server keeps idle connections ${kept}, but advertises ${seconds(advertised.timeout)}: clients that obey ` +
    'close them sooner than they need to.'
  )
}

function advertisedUnchecked({ advertised, idle }: Facts): string | undefined {
  if (advertised?.timeout == null || idle === null || isHonest({ advertised, idle }) !== null) return undefined
  return (
    `The server advertises ${seconds(advertised.timeout)}, and connections were left idle for ` +
    `${seconds(idle.atLeast)} only: see with --max-wait ${Math.ceil(advertised.timeout / 1000) + 5}.`
  )
}

function notAdvertised({ advertised, idle }: Facts): string | undefined {
  if (advertised === null || advertised.timeout !== null || idle?.atMost == null) return undefined
  return `Idle connections end after ${seconds(idle.atMost)}, and the server does not say so: clients have to know, or to learn.`
}

function shortTimeout({ idle }: Facts): string | undefined {
  if (idle?.atMost == null || idle.atMost > SHORT) return undefined
  return `An idle connection is ended after ${seconds(idle.atMost)}: few requests find one that can be used again.`
}

function silentEnd({ idle }: Facts): string | undefined {
  if (idle?.end !== 'silence' || idle.atMost === null) return undefined
  const who =
    idle.acknowledged === null
      ? ''
      : idle.acknowledged
        ? ' The host has received it: it is the program there that does not answer.'
        : ' Nobody has received it: something in between has forgotten the connection.'
  return `After ${seconds(idle.atMost)} of silence a request is not answered, and nobody says that the connection is gone.${who}`
}

function resetOnRequest({ idle }: Facts): string | undefined {
  if (idle?.end !== 'reset-on-request' || idle.atMost === null) return undefined
  return (
    `After ${seconds(idle.atMost)} of silence a request is answered by a reset, and nothing is said before: ` +
    'something has forgotten the connection.'
  )
}

function idleReset({ idle }: Facts): string | undefined {
  if (idle?.end !== 'reset') return undefined
  return 'Idle connections are ended by a reset, not by a FIN: a request that crosses it cannot be proven unprocessed.'
}

function unsolicitedBytes({ idle }: Facts): string | undefined {
  if (idle?.unsolicited == null) return undefined
  const [line = ''] = idle.unsolicited.split(/[\r\n]/)
  return `The server says something on idle connections that was not asked for: ${JSON.stringify(line)}.`
}

function restarted({ idle }: Facts): string | undefined {
  if (idle === null || idle.restarts === 0) return undefined
  return 'Connections of different ages ended in one instant: the server was restarted meanwhile. That was not counted.'
}

function unsteady({ idle }: Facts): string | undefined {
  if (idle === null) return undefined
  if (idle.early !== null)
    return `A connection was closed after ${seconds(idle.early)} of idleness, though others lived longer: servers that run short of room do that.`
  if (idle.settled || idle.end === null) return undefined
  return `When idle connections end could not be settled: between ${seconds(idle.atLeast)} and ${seconds(idle.atMost ?? 0)}.`
}

function maxTooHigh({ requests }: Facts): string | undefined {
  if (requests?.promised == null || requests.closedAfter === null || requests.closedAfter >= requests.promised)
    return undefined
  return `The server promises ${requests.promised} requests on a connection (max=${requests.max}) and closes after ${requests.closedAfter}.`
}

function maxUnchecked({ requests }: Facts): string | undefined {
  if (requests?.promised == null || requests.closedAfter !== null || requests.tried >= requests.promised)
    return undefined
  return `The server promises ${requests.promised} requests on a connection: see whether it keeps that with --requests ${requests.promised}.`
}

function closesUnannounced({ requests }: Facts): string | undefined {
  if (requests?.announced !== false) return undefined
  return (
    `The server closes a connection after ${requests.closedAfter} requests without Connection: close: ` +
    'the next request is lost on its way.'
  )
}

function probeUnanswered({ tcpKeepAlive }: Facts): string | undefined {
  if (tcpKeepAlive?.answered !== false) return undefined
  return 'TCP keepalive probes are not answered: something in between swallows them, and a living peer will look dead.'
}

function keepAliveNotApplied({ tcpKeepAlive }: Facts): string | undefined {
  if (tcpKeepAlive === null || tcpKeepAlive.applies) return undefined
  const { idle, interval, probes } = tcpKeepAlive.applied
  const there = [idle, interval, probes].map((value) => value ?? 'unknown').join(', ')
  return `Ti, Td and Nm do not get on a socket here as they are asked for; there: ${there}.`
}

function noKernel(_facts: Facts, { kernel, why }: Conditions): string | undefined {
  return kernel ? undefined : `The kernel of this machine cannot be asked about connections: ${why}.`
}

function severalAddresses({ address }: Facts): string | undefined {
  if (address === null || address.others.length === 0) return undefined
  return `The name has ${address.others.length + 1} addresses; this is of ${address.address} alone. The others may be set differently.`
}

function redirect({ request }: Facts): string | undefined {
  if (request === null || request.status < 300 || request.status > 399 || request.location === null) return undefined
  return `The answer is a redirect (${request.status}) to ${request.location}, which was not followed: this is of the server that sends it.`
}

function errorStatus({ request }: Facts): string | undefined {
  if (request === null || request.status < 400) return undefined
  return `The answer is an error (${request.status}): servers may keep connections differently after those. Choose another path.`
}

function headRefused({ request }: Facts): string | undefined {
  return request?.headRefused ? 'HEAD is refused, so that all of this was measured with GET.' : undefined
}

function certificateNotChecked(_facts: Facts, { insecure }: Conditions): string | undefined {
  return insecure ? 'The certificate was not checked (--insecure).' : undefined
}
