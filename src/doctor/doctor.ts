/**
 * Examines one origin: what a connection costs, what is advertised, how many requests one takes, whether TCP keepalive works,
 * and after what time an idle one ends. One part after the other, within the limits of `limits.ts`.
 */
import type { Clock } from '../clock.js'
import type { NativeResult } from '../liveness/native.js'
import { presets } from '../liveness/presets.js'
import { TcpInfoReader } from '../liveness/tcp-info.js'
import type { MeasuredConnection } from './connection.js'
import { Connections, UnreachableError } from './connections.js'
import { measureCost } from './cost.js'
import { type Conditions, type Facts, noFacts } from './facts.js'
import { findingsOf } from './findings.js'
import { advertisementOf, type Greeting, greet } from './greeting.js'
import { measureIdle } from './idle.js'
import { noEvidence } from './idle-evidence.js'
import type { DoctorOptions } from './options.js'
import { idleText, type Progress } from './progress.js'
import { recommend } from './recommend.js'
import { REPORT_VERSION, type Report } from './report.js'
import { measureRequests } from './requests.js'
import { headerOf } from './response.js'
import { addressesOf, doctorTarget } from './target.js'
import { measureTcpKeepAlive } from './tcp-keepalive.js'
import { unlessAborted, wait } from './wait.js'

export interface DoctorTools {
  readonly clock: Clock
  readonly native: NativeResult
  /** Ends the examination: what is known by then is reported. */
  readonly signal: AbortSignal
  readonly progress: (progress: Progress) => void
}

/** An advertised timeout is waited for so much longer, in milliseconds; what is kept beyond that is kept for "longer". */
const BEYOND_ADVERTISED = 5_000
const TICK = 1_000

/**
 * Never rejects for what the origin does: that is in the report's `error`.
 *
 * @throws TypeError for what is no http or https URL
 */
export async function examine(url: string, options: DoctorOptions, tools: DoctorTools): Promise<Report> {
  const target = doctorTarget(url)
  const { clock, native, signal } = tools
  const startedAt = clock.now()
  const tcpInfo = native.native === undefined ? undefined : new TcpInfoReader(native.native)
  const connections = new Connections(target, options, tcpInfo)
  const stop = (): void => connections.closeAll()
  signal.addEventListener('abort', stop)
  if (signal.aborted) stop()
  let facts = noFacts
  let error: Report['error'] = null
  try {
    for await (const part of parts(target, options, tools, connections, tcpInfo)) facts = { ...facts, ...part }
  } catch (failure) {
    if (!signal.aborted) error = errorOf(failure)
  } finally {
    signal.removeEventListener('abort', stop)
    connections.closeAll()
  }
  const conditions: Conditions = { ...options, kernel: native.native !== undefined, why: native.why ?? null }
  return {
    doctor: REPORT_VERSION,
    url: target.url,
    origin: target.origin,
    complete: error === null && !signal.aborted,
    error,
    took: clock.now() - startedAt,
    connections: connections.count,
    ...facts,
    findings: findingsOf(facts, conditions),
    recommendation: facts.advertised === null ? null : recommend(facts, conditions),
  }
}

/** Measures part after part, and gives out each as it is known. */
async function* parts(
  target: ReturnType<typeof doctorTarget>,
  options: DoctorOptions,
  tools: DoctorTools,
  connections: Connections,
  tcpInfo: TcpInfoReader | undefined,
): AsyncGenerator<Partial<Facts>> {
  const { clock, signal, progress } = tools
  const { timeout, maxWait } = options

  progress({ stage: 'connecting', text: `connecting to ${target.origin}` })
  const lookUp = () => unlessAborted(addressesOf(target), signal)
  const { addresses } = await lookUp()
  const greeting = await greet(target, addresses, options, (address) => connections.open(address))
  const { question, address } = greeting
  const advertised = advertisementOf(greeting.response)
  const others = addresses.map((each) => each.address).filter((each) => each !== address.address)
  yield { ...greeted(greeting), advertised, address: { ...address, port: target.port, others } }

  const open = (): Promise<MeasuredConnection> => connections.open(address)
  progress({ stage: 'cost', text: 'what a connection costs' })
  const cost = await measureCost({ open, addresses: lookUp, question, timeout, tcpInfo, signal })
  signal.throwIfAborted()
  yield { cost: cost ?? null }

  progress({ stage: 'requests', text: 'requests on one connection' })
  const tcpKeepAlive = probed(open, greeting, options, tools)
  const requests =
    options.requests > 0 && advertised.persists
      ? measureRequests({
          open,
          question,
          requests: options.requests,
          timeout,
          signal,
          progress: (answered) => progress({ stage: 'requests', text: `requests on one connection: ${answered}` }),
        })
      : null
  // Both are let come to their end, whichever fails.
  const [probes, counted] = await Promise.allSettled([tcpKeepAlive, requests])
  signal.throwIfAborted()
  if (probes.status === 'fulfilled') yield { tcpKeepAlive: probes.value }
  if (counted.status === 'rejected') throw counted.reason
  yield { requests: counted.value }
  if (!advertised.persists) return

  const longest = Math.max(1_000, Math.min(maxWait, (advertised.timeout ?? Infinity) + BEYOND_ADVERTISED))
  const startedAt = clock.now()
  let evidence = noEvidence
  const tell = (): void => progress({ stage: 'idle', text: idleText(clock.now() - startedAt, longest, evidence) })
  const ticker = new AbortController()
  void tick(clock, tell, ticker.signal)
  try {
    const idle = await measureIdle({
      open,
      question,
      longest,
      timeout,
      patience: options.patience,
      slowest: cost?.slowest ?? 0,
      tcpInfo,
      clock,
      signal,
      seen: (seen) => {
        evidence = seen
      },
    })
    yield { idle }
  } finally {
    ticker.abort()
  }
}

async function tick(clock: Clock, tell: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    tell()
    await wait(clock, TICK, signal)
  }
}

function greeted({ question, response, headRefused }: Greeting): Pick<Facts, 'request'> {
  const { method, path } = question
  const location = headerOf(response.rawHeaders, 'location') ?? null
  return { request: { method, path, status: response.status, location, headRefused } }
}

/** Whether settings apply can be seen on any connection; whether a probe is answered, only on one that stays open. */
async function probed(
  open: () => Promise<MeasuredConnection>,
  { question }: Greeting,
  { timeout }: DoctorOptions,
  { native: { native, why }, clock, signal }: DoctorTools,
): Promise<NonNullable<Facts['tcpKeepAlive']>> {
  const connection = await open()
  await connection.ask(question, timeout)
  return measureTcpKeepAlive({ connection, liveness: presets.cloud, native, why, clock, signal })
}

function errorOf(failure: unknown): NonNullable<Report['error']> {
  if (failure instanceof UnreachableError) return { code: failure.code, message: failure.message }
  const { code = 'ERROR', message = String(failure) } = failure as NodeJS.ErrnoException
  return { code, message }
}
