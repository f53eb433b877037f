/** Facts and reports for tests of what is judged: a server with nothing wrong, changed where a test says so. */
import type { Cost } from '../../src/doctor/cost.js'
import type { Conditions, Facts } from '../../src/doctor/facts.js'
import type { Advertisement } from '../../src/doctor/greeting.js'
import type { IdleFacts } from '../../src/doctor/idle.js'
import type { RequestFacts } from '../../src/doctor/requests.js'
import type { TcpKeepAliveFacts } from '../../src/doctor/tcp-keepalive.js'

export const conditions: Conditions = {
  maxWait: 80_000,
  requests: 120,
  insecure: false,
  through: [],
  longestSilence: undefined,
  kernel: true,
  why: null,
}

export const cost = (change: Partial<Cost> = {}): Cost => ({
  samples: 5,
  dns: 1,
  connect: 20,
  tls: 30,
  firstResponse: 25,
  reusedResponse: 22,
  roundTrip: 20,
  saved: 54,
  slowest: 40,
  ...change,
})

export const advertised = (change: Partial<Advertisement> = {}): Advertisement => ({
  httpVersion: '1.1',
  connection: 'keep-alive',
  keepAlive: null,
  timeout: null,
  max: null,
  persists: true,
  ...change,
})

export const idle = (change: Partial<IdleFacts> = {}): IdleFacts => ({
  end: null,
  atLeast: 80_000,
  atMost: null,
  samples: [],
  acknowledged: null,
  restarts: 0,
  early: null,
  settled: true,
  longest: 80_000,
  unsolicited: null,
  ...change,
})

/** Closed by the server after so many milliseconds. */
export const closing = (timeout: number, change: Partial<IdleFacts> = {}): IdleFacts =>
  idle({ end: 'fin', atLeast: timeout, atMost: timeout, samples: [timeout, timeout], ...change })

export const requests = (change: Partial<RequestFacts> = {}): RequestFacts => ({
  tried: 120,
  closedAfter: null,
  announced: null,
  max: null,
  dialect: null,
  promised: null,
  ...change,
})

export const tcpKeepAlive = (change: Partial<TcpKeepAliveFacts> = {}): TcpKeepAliveFacts => ({
  asked: { idle: 30_000, interval: 5_000, probes: 3 },
  applied: { idle: 30_000, interval: 5_000, probes: 3 },
  applies: true,
  source: 'kernel',
  answered: true,
  why: null,
  ...change,
})

export const facts = (change: Partial<Facts> = {}): Facts => ({
  address: { address: '127.0.0.1', family: 4, port: 80, others: [] },
  request: { method: 'HEAD', path: '/', status: 200, location: null, headRefused: false },
  advertised: advertised(),
  cost: cost(),
  requests: requests(),
  tcpKeepAlive: tcpKeepAlive(),
  idle: idle(),
  ...change,
})
