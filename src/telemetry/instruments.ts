/**
 * The table of instruments: what is measured, and under which names. Those that the semantic conventions of OpenTelemetry know
 * have their names, units and boundaries; ours stand beside them under `keepwise.`. The documentation and the Prometheus
 * metrics are made from the same table.
 */
import type { Histogram, Meter, Observable } from '../meter.js'

/** Attributes, each named once. */
export const attributeNames = {
  pool: 'keepwise.pool.name',
  address: 'server.address',
  port: 'server.port',
  scheme: 'url.scheme',
  method: 'http.request.method',
  status: 'http.response.status_code',
  error: 'error.type',
  protocol: 'network.protocol.version',
  state: 'http.connection.state',
  reason: 'keepwise.close.reason',
  use: 'keepwise.connection.use',
  source: 'keepwise.idle_timeout.source',
} as const

const { pool, address, port, scheme, method, status, error, protocol, state, reason, use, source } = attributeNames

/** Every measurement says of which pool and of which server it is. */
const server = [pool, address, port, scheme] as const

/** Only histograms are recorded as things happen. All others are read when somebody collects. */
export type InstrumentKind = 'histogram' | 'counter' | 'upDownCounter' | 'gauge'

export interface Instrument {
  readonly name: string
  readonly kind: InstrumentKind
  /** As UCUM writes it. */
  readonly unit: 's' | '{connection}' | '{request}'
  readonly description: string
  readonly attributes: readonly string[]
  /** Upper bounds of a histogram's buckets. */
  readonly boundaries?: readonly number[]
}

export const instruments = {
  requestDuration: {
    name: 'http.client.request.duration',
    kind: 'histogram',
    unit: 's',
    description:
      'Duration of HTTP client requests, from the call to the end of the response, waits and repeats included.',
    attributes: [...server, method, status, error, protocol],
    boundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  },
  activeRequests: {
    name: 'http.client.active_requests',
    kind: 'upDownCounter',
    unit: '{request}',
    description: 'Requests that were begun and have not ended, waiting ones included.',
    attributes: [...server, method],
  },
  openConnections: {
    name: 'http.client.open_connections',
    kind: 'upDownCounter',
    unit: '{connection}',
    description: 'Connections that are open, with a request on them (active) or without (idle).',
    attributes: [...server, state, protocol],
  },
  connectionDuration: {
    name: 'http.client.connection.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long the connections were open that have left the pool.',
    attributes: [...server, protocol],
    boundaries: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600],
  },
  opened: {
    name: 'keepwise.connections.opened',
    kind: 'counter',
    unit: '{connection}',
    description: 'Connections opened.',
    attributes: server,
  },
  closed: {
    name: 'keepwise.connections.closed',
    kind: 'counter',
    unit: '{connection}',
    description: 'Connections that have left the pool, by the reason why.',
    attributes: [...server, reason],
  },
  dialing: {
    name: 'keepwise.connections.dialing',
    kind: 'upDownCounter',
    unit: '{connection}',
    description: 'Connections that are being opened, those included that wait for their turn.',
    attributes: server,
  },
  suspect: {
    name: 'keepwise.connections.suspect',
    kind: 'upDownCounter',
    unit: '{connection}',
    description: 'Idle connections that are not lent before their peer has answered.',
    attributes: server,
  },
  dialDuration: {
    name: 'keepwise.dial.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long it took to open a connection (DNS, TCP, TLS), or to fail to.',
    attributes: [...server, error],
    boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  assigned: {
    name: 'keepwise.requests.assigned',
    kind: 'counter',
    unit: '{request}',
    description:
      'Requests that were given a connection, a new one or one that is reused. One that is sent again counts again.',
    attributes: [...server, use],
  },
  replayed: {
    name: 'keepwise.requests.replayed',
    kind: 'counter',
    unit: '{request}',
    description: 'Requests sent again because a reused connection died under them.',
    attributes: server,
  },
  queued: {
    name: 'keepwise.requests.queued',
    kind: 'counter',
    unit: '{request}',
    description: 'Requests that had to wait for a connection, be it for one that was opened for them.',
    attributes: server,
  },
  waiting: {
    name: 'keepwise.requests.waiting',
    kind: 'upDownCounter',
    unit: '{request}',
    description: 'Requests that wait for a connection now.',
    attributes: server,
  },
  waitDuration: {
    name: 'keepwise.wait.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long requests waited that had to wait and were given a connection.',
    attributes: server,
    boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  },
  idleTimeout: {
    name: 'keepwise.server.idle_timeout',
    kind: 'gauge',
    unit: 's',
    description:
      'How long the server lets a connection idle: as it advertised last, or as was learned. The shortest of several.',
    attributes: [...server, source],
  },
} as const satisfies Record<string, Instrument>

export type InstrumentKey = keyof typeof instruments

type KeyOf<Kind extends InstrumentKind> = {
  [Key in InstrumentKey]: (typeof instruments)[Key]['kind'] extends Kind ? Key : never
}[InstrumentKey]

export type HistogramKey = KeyOf<'histogram'>
export type ObservableKey = Exclude<InstrumentKey, HistogramKey>

export interface MadeInstruments {
  readonly histograms: Readonly<Record<HistogramKey, Histogram>>
  readonly observables: Readonly<Record<ObservableKey, Observable>>
}

/** Makes all of them. */
export function makeInstruments(meter: Meter): MadeInstruments {
  const histograms: Record<string, Histogram> = {}
  const observables: Record<string, Observable> = {}
  for (const [key, instrument] of Object.entries<Instrument>(instruments)) {
    const { name, kind, description, unit, attributes, boundaries } = instrument
    const advice = { attributes, ...(boundaries && { explicitBucketBoundaries: [...boundaries] }) }
    const options = { description, unit, advice }
    if (kind === 'histogram') histograms[key] = meter.createHistogram(name, options)
    else if (kind === 'counter') observables[key] = meter.createObservableCounter(name, options)
    else if (kind === 'gauge') observables[key] = meter.createObservableGauge(name, options)
    else observables[key] = meter.createObservableUpDownCounter(name, options)
  }
  return { histograms, observables } as MadeInstruments
}
