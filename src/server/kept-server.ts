/**
 * A server whose keep-alive is kept: what `keepAlive` returns.
 */
import https from 'node:https'
import net, { type Socket } from 'node:net'
import { Agenda } from '../agenda.js'
import type { Clock } from '../clock.js'
import { OptionError } from '../errors.js'
import { Events } from '../events.js'
import { codeOf, type DeathCause, deathCause, evidenceOf } from '../liveness/evidence.js'
import { Monitor } from '../liveness/monitor.js'
import type { Native } from '../liveness/native.js'
import { planOf } from '../liveness/presets.js'
import { TcpInfoReader } from '../liveness/tcp-info.js'
import type { Signs } from '../liveness/vital-signs.js'
import { isObject, show } from '../options/checks.js'
import { descriptorOf } from '../wire/handle.js'
import type { Announcer } from './announce.js'
import { Closing } from './closing.js'
import { AcceptedConnection, type Host } from './connection.js'
import { DeadClientError } from './dead-client.js'
import type { ServerEvent, ServerEvents } from './events.js'
import { type CloseOptions, type KeepAliveOptions, resolveClose, resolveKeepAlive } from './options.js'
import { type Left, ServerCounters, type ServerStats } from './stats.js'
import { type AnyServer, isServer, takeOver } from './takeover.js'

/** What is beneath: other ones for tests. */
export interface ServerTools {
  readonly clock: Clock
  readonly native: Native | undefined
  readonly announcer: Announcer
}

const kept = new WeakMap<AnyServer, KeptServer>()

/** @throws OptionError */
export function keep(server: unknown, options: unknown, tools: ServerTools): KeptServer {
  if (!isServer(server)) throw new OptionError('server', notAServer(server))
  if (kept.has(server))
    throw new OptionError('server', 'keepAlive was called for this server already: restore() the first one before.')
  const keeper = new KeptServer(server, resolveKeepAlive(options, server), tools)
  kept.set(server, keeper)
  return keeper
}

/** A server whose keep-alive is kept: what `keepAlive` returns. */
export class KeptServer {
  readonly #server: AnyServer
  readonly #emitter = new Events<ServerEvents>()
  readonly #connections = new Set<AcceptedConnection>()
  /** Of a TLS server: TCP connections, be TLS ready on them or not. */
  readonly #raw = new Set<Socket>()
  readonly #host: Host
  readonly #giveBack: () => void
  #ids = 0
  #closing: Closing | undefined

  /** @internal */
  constructor(server: AnyServer, options: Required<KeepAliveOptions>, { clock, native, announcer }: ServerTools) {
    const { timeout, max, buffer, liveness } = options
    const self = this
    this.#server = server
    this.#host = {
      clock,
      native,
      announcer,
      buffer,
      agenda: new Agenda(clock),
      tcpInfo: native && new TcpInfoReader(native),
      plan: planOf(liveness),
      terms: { timeout, max },
      counters: new ServerCounters(),
      monitor: new Monitor({
        suspected: (connection, signs) => this.#suspected(connection, signs),
        recovered: () => {},
        unanswered: () => {},
        died: (connection, signs) => {
          this.#died(connection, signs, 'unanswered')
          connection.socket.destroy(new DeadClientError(connection, signs.silence))
        },
      }),
      get closing() {
        return self.#closing !== undefined
      },
      idleUntil: (connection) => this.#idleUntil(connection),
      broke: (connection, error, signs) => {
        if (error instanceof DeadClientError) return // told already
        const cause = deathCause(codeOf(error), signs?.silence, connection.patience)
        if (cause !== undefined) this.#died(connection, signs, cause)
      },
      closed: (connection) => {
        this.#connections.delete(connection)
        this.#closing?.look()
      },
    }
    const isTls = server instanceof https.Server
    this.#giveBack = takeOver(server, announcer.settings({ timeout, max }), {
      connected: (socket) => isTls && this.#connected(socket),
      accepted: (socket) => void this.#accept(socket),
      requested: ({ socket }, response) => this.#connectionOf(socket).begin(response),
      upgraded: ({ socket }) => this.#connectionOf(socket).upgrade(),
    })
  }

  /** Has a listener called whenever the event is emitted. What it throws becomes a process warning. */
  on<Name extends ServerEvent>(event: Name, listener: ServerEvents[Name]): this {
    this.#emitter.on(event, listener)
    return this
  }

  /** Has a listener called the next time the event is emitted, and not again. */
  once<Name extends ServerEvent>(event: Name, listener: ServerEvents[Name]): this {
    this.#emitter.once(event, listener)
    return this
  }

  /** Takes a listener off. */
  off<Name extends ServerEvent>(event: Name, listener: ServerEvents[Name]): this {
    this.#emitter.off(event, listener)
    return this
  }

  /** Numbers as they are now, and counted since `keepAlive` was called. */
  stats(): ServerStats {
    const gauges = { active: 0, idle: 0, upgraded: 0 }
    for (const { isUpgraded, isActive } of this.#connections)
      gauges[isUpgraded ? 'upgraded' : isActive ? 'active' : 'idle']++
    return { ...gauges, ...this.#host.counters, closing: this.#host.closing }
  }

  /**
   * Closes the server so that no client loses a request: takes no new connections, has each response say
   * `Connection: close`, keeps idle connections for a grace time, and then ends them; and everything at the limit. The
   * server is then as it was before `keepAlive`.
   *
   * @returns what had to be ended at the limit. A second call returns the first one's promise.
   * @throws OptionError
   */
  close(options?: CloseOptions): Promise<Left> {
    if (this.#closing === undefined) {
      const server = this.#server
      // Of a socket that listens, TCP_INFO has the backlog here (tcp_get_info).
      const backlog = () => this.#host.tcpInfo?.signs(descriptorOf(server))?.unacknowledged ?? 0
      const subject = { server, backlog, connections: this.#connections, raw: this.#raw }
      this.#closing = new Closing(subject, this.#host.clock, resolveClose(options))
      this.#closing.left.then(() => this.#takeOff())
      for (const connection of this.#connections) connection.hurry()
    }
    return this.#closing.left
  }

  /**
   * Takes itself off: the server is as it was before `keepAlive`, and its connections are Node's again. After `close` it
   * does nothing: that does so itself, when it is done.
   */
  restore(): void {
    if (this.#closing === undefined) this.#takeOff()
  }

  #takeOff(): void {
    if (!kept.delete(this.#server)) return
    this.#giveBack()
    for (const connection of this.#connections) connection.release()
    for (const socket of this.#raw) this.#raw.delete(socket)
  }

  #accept(socket: Socket): AcceptedConnection {
    const connection = new AcceptedConnection(++this.#ids, socket, this.#host)
    this.#connections.add(connection)
    this.#host.counters.accepted++
    return connection
  }

  /** One that was there before the server was kept is taken with its next request. */
  #connectionOf(socket: Socket): AcceptedConnection {
    return AcceptedConnection.of(socket) ?? this.#accept(socket)
  }

  #connected(socket: Socket): void {
    this.#raw.add(socket)
    socket.once('close', () => this.#raw.delete(socket))
  }

  #idleUntil({ busySince, requests }: AcceptedConnection): number {
    const { terms, buffer } = this.#host
    // Node has limits of its own for a connection that has brought nothing yet, and no promise was made to it.
    const promised = requests === 0 ? Infinity : busySince + terms.timeout + buffer
    return Math.min(promised, this.#closing?.idleUntil(busySince) ?? Infinity)
  }

  #suspected(connection: AcceptedConnection, signs: Signs): void {
    this.#host.counters.suspected++
    this.#tell('suspect', connection, signs, 'unanswered')
  }

  #died(connection: AcceptedConnection, signs: Signs | undefined, cause: DeathCause): void {
    this.#host.counters.dead++
    this.#tell('dead', connection, signs, cause)
  }

  #tell(event: ServerEvent, connection: AcceptedConnection, signs: Signs | undefined, cause: DeathCause): void {
    if (!this.#emitter.heard(event)) return
    const { during } = connection
    const client = connection.snapshot(this.#host.clock.now(), signs)
    this.#emitter.emit(event, { client, evidence: evidenceOf(signs, during !== 'idle', cause), during })
  }
}

/** What was given instead of a server, and where one may be found. */
function notAServer(value: unknown): string {
  const isThing = typeof value === 'function' || isObject(value)
  const isApp = isThing && 'listen' in value && !(value instanceof net.Server)
  const where = !isApp ? 'what createServer() returns' : 'server' in value ? 'app.server' : 'what app.listen() returns'
  const what = isThing ? `of the class ${value.constructor?.name}` : show(value)
  return `keepAlive takes a server of node:http or node:https; it is ${what}. Give it ${where}.`
}
