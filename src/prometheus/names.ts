/**
 * From the names of OpenTelemetry to those of Prometheus, by the rules of the OpenTelemetry specification (Prometheus and
 * OpenMetrics compatibility). Pure.
 */
import type { InstrumentKind } from '../telemetry/instruments.js'

/** Units that become words; one in braces is a note for the reader, and is left out. */
const units: Readonly<Record<string, string>> = { s: 'seconds' }

/** `http.client.request.duration` in `s` becomes `http_client_request_duration_seconds`; counters end in `_total`. */
export function metricName(kind: InstrumentKind, name: string, unit = ''): string {
  const suffix = [units[unit], kind === 'counter' ? 'total' : undefined].filter((each) => each !== undefined)
  return [labelName(name), ...suffix].join('_')
}

/** `server.address` becomes `server_address`. */
export const labelName = (attribute: string): string => attribute.replace(/[^a-zA-Z0-9_]/g, '_')
