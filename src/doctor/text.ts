/** The report as text for a person. */
import { isHonest } from './findings.js'
import { pasteable, wrapped } from './pasteable.js'
import type { Report } from './report.js'
import { milliseconds, seconds } from './words.js'

/** Width of the column of names, and of the text beside it. */
const NAMES = 12
const WIDTH = 88

export function textOf(report: Report): string {
  const parts = [head(report), ...measured(report), findings(report), advice(report), foot(report)]
  return `${parts.filter((part) => part !== '').join('\n')}\n`
}

function head({ url, address, request, advertised }: Report): string {
  if (address === null || request === null) return `${url}\n`
  const { method, status } = request
  return `${url}  (${address.address} port ${address.port}, ${method} ${status}, HTTP/${advertised?.httpVersion})\n`
}

function measured(report: Report): string[] {
  const { cost, advertised, idle, requests, tcpKeepAlive } = report
  return [
    cost === null ? '' : row('Cost', costText(cost)),
    advertised === null ? '' : row('Advertised', advertisedText(advertised)),
    idle === null ? '' : row('Idle', idleText(report, idle)),
    requests === null ? '' : row('Requests', requestsText(requests)),
    tcpKeepAlive === null ? '' : row('TCP', tcpText(tcpKeepAlive)),
  ]
}

/** A name, and text beside it in as many lines as it takes. */
function row(name: string, text: readonly string[]): string {
  const lines = text.flatMap((each) => wrapped(each, WIDTH))
  return lines.map((line, index) => `${(index === 0 ? name : '').padEnd(NAMES)}${line}`).join('\n')
}

function costText(cost: NonNullable<Report['cost']>): string[] {
  const { dns, connect, tls, firstResponse, reusedResponse, saved, roundTrip, samples } = cost
  const parts = [
    ...(dns === null ? [] : [`name ${milliseconds(dns)}`]),
    `connect ${milliseconds(connect)}`,
    ...(tls === null ? [] : [`TLS ${milliseconds(tls)}`]),
    `first response ${milliseconds(firstResponse)}`,
  ]
  const kept =
    reusedResponse === null || saved === null
      ? 'no connection could be used again'
      : `on a kept connection ${milliseconds(reusedResponse)}: reuse saves ${milliseconds(saved)} a request`
  const trip = roundTrip === null ? '' : `; a round trip is ${milliseconds(roundTrip)}`
  return [`${parts.join(', ')} (median of ${samples})`, `${kept}${trip}`]
}

function advertisedText({ connection, keepAlive, persists }: NonNullable<Report['advertised']>): string[] {
  const said = [
    ...(connection === null ? [] : [`Connection: ${connection}`]),
    ...(keepAlive === null ? [] : [`Keep-Alive: ${keepAlive}`]),
  ]
  const text = said.length === 0 ? 'nothing' : said.join('; ')
  return [persists ? text : `${text} (a connection serves one request)`]
}

const ends = {
  fin: 'the server closes (FIN)',
  reset: 'reset by the server (RST)',
  'reset-on-request': 'silently; a request is answered by a reset (RST)',
  silence: 'silently; a request is not answered',
} as const

function idleText(report: Report, idle: NonNullable<Report['idle']>): string[] {
  const { end, atLeast, atMost, samples, settled } = idle
  const honest = isHonest(report)
  const compared =
    honest === null
      ? []
      : [honest ? 'the advertised timeout is kept' : 'sooner than advertised, see advertised-too-long']
  if (end === null) {
    const all = settled ? 'nothing happened' : 'nothing had happened'
    return [`longer than ${seconds(atLeast)}: ${all} by then`, ...compared]
  }
  const exact = samples.length > 0
  const when = exact ? `after ${seconds(atLeast)}` : `between ${seconds(atLeast)} and ${seconds(atMost ?? 0)}`
  const seen = exact ? `, seen on ${samples.length} ${samples.length === 1 ? 'connection' : 'connections'}` : ''
  return [`ends ${when}: ${ends[end]}${seen}${settled ? '' : '; not settled'}`, ...compared]
}

const dialects = { remaining: 'what remains', total: 'all of a connection' } as const

function requestsText({ tried, closedAfter, announced, max, dialect }: NonNullable<Report['requests']>): string[] {
  const closed =
    closedAfter === null
      ? `${tried} went over one connection`
      : `closed after ${closedAfter}, ${announced ? 'announced (Connection: close)' : 'without a word'}`
  const said = max === null ? '' : `; max=${max} counts ${dialect === null ? 'what, is not known' : dialects[dialect]}`
  return [`${closed}${said}`]
}

function tcpText({ applies, answered, why, source }: NonNullable<Report['tcpKeepAlive']>): string[] {
  const settings = applies
    ? `Ti, Td and Nm apply on this machine (${source === 'kernel' ? 'read back' : 'set by Node'})`
    : `Ti, Td and Nm do not all apply on this machine (${source})`
  const probe =
    answered === null ? `not probed: ${why}` : answered ? 'the peer answers probes' : 'probes are not answered'
  return [`${settings}; ${probe}`]
}

function findings({ findings }: Report): string {
  if (findings.length === 0) return ''
  const blocks = findings.map(({ code, severity, message }) => {
    const lines = wrapped(message, WIDTH).map((line) => `${' '.repeat(4)}${line}`)
    return [`  ${severity === 'problem' ? '!' : '-'} ${code}`, ...lines].join('\n')
  })
  return ['', 'Findings', ...blocks].join('\n')
}

function advice({ recommendation }: Report): string {
  if (recommendation === null) return ''
  const code = pasteable(recommendation)
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}`))
  const same = recommendation.unchanged.map(({ option, reason }) => `  ${option}: ${reason}`)
  return ['', 'Recommended', ...code, '', 'Right as they are', ...same].join('\n')
}

function foot({ complete, error, took, connections }: Report): string {
  const effort = `${connections.opened} connections, at most ${connections.mostOpen} at once, ${seconds(took)}`
  if (error !== null) return `\nNot complete: ${error.message}${hint(error.code)}\n${effort}`
  return complete ? `\n${effort}` : `\nNot complete: interrupted. This is what was known by then.\n${effort}`
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/

const hint = (code: string): string => (CERTIFICATE.test(code) ? ' (--insecure takes any certificate)' : '')
