/**
 * What one origin says of its connections, taken from its responses: header in, facts on the connection out.
 */
import { nothingAdvertised, parseKeepAlive } from '../keepalive/advertised.js'
import { connectionHeaders, type RawHeaders } from '../keepalive/headers.js'
import { dialectSeen, remainingRequests } from '../keepalive/remaining.js'
import type { Connection } from './connection.js'

export class Hints {
  /** Milliseconds it advertised last: holds for its new connections until their first response. */
  advertisedTimeout: number | undefined = undefined
  /** Whether its `max` was seen to be a constant total. */
  constantMax = false
  /** Requests it allows on one connection, as far as it has said. */
  total: number | undefined = undefined
  readonly #keepAliveTimeout: number
  /** The header seen last, and what it says: servers repeat themselves. */
  #header = ''
  #advertised = nothingAdvertised

  /** @param keepAliveTimeout what holds where nothing is advertised */
  constructor(keepAliveTimeout: number) {
    this.#keepAliveTimeout = keepAliveTimeout
  }

  /** Takes note of what a response says of its connection. */
  read(connection: Connection, rawHeaders: RawHeaders): void {
    const { keepAlive, persists, close } = connectionHeaders(rawHeaders)
    if (close) connection.retire('server-close')
    if (keepAlive !== undefined) this.heard(connection, keepAlive, persists)
  }

  /**
   * The response that is being read has a `Keep-Alive` header.
   *
   * @param own whether `Connection: keep-alive` came with it. Without it the header is not this hop's (RFC 2068 19.7.1.1):
   *   a proxy has passed on what its backend said. It may then make us more careful, but not less.
   */
  heard(connection: Connection, header: string, own: boolean): void {
    if (header !== this.#header) {
      this.#header = header
      this.#advertised = parseKeepAlive(header)
    }
    const { timeout, max } = this.#advertised
    if (timeout !== undefined) {
      this.advertisedTimeout = own ? timeout : Math.min(timeout, this.#keepAliveTimeout)
      connection.advertisedTimeout = this.advertisedTimeout
      connection.timeoutHeard = true
    }
    connection.max = max
  }

  /** The response is complete: one less is left of what the server allows. */
  complete(connection: Connection): void {
    connection.answered++
    // What another connection was told holds until this one has a response of its own.
    if (connection.answered === 1 && !connection.timeoutHeard) connection.advertisedTimeout = undefined
    const { answered, remaining, lastMax, max } = connection
    if (max === undefined && remaining === Infinity) return
    this.constantMax = dialectSeen(lastMax, max) ?? this.constantMax
    connection.remaining = remainingRequests({ answered, remaining, max, constant: this.constantMax })
    if (max !== undefined) {
      connection.lastMax = max
      this.total = this.constantMax ? max : max + answered
    }
    connection.max = undefined
  }
}
