/**
 * The face towards node:http and node:https clients, without node's class around it: takes requests, finds their way to
 * the pool, and shows connections as node's agents show them.
 */
import type { EventEmitter } from 'node:events'
import type { ClientRequest } from 'node:http'
import { isIP, type LookupFunction, type Socket } from 'node:net'
import { ClosedError } from '../errors.js'
import type { Connection } from '../pool/connection.js'
import type { OriginPool } from '../pool/origin-pool.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { Addresses } from '../wire/addresses.js'
import type { Dialer } from '../wire/link.js'
import { type LinkTools, SocketLink } from '../wire/socket-link.js'
import { withoutPort } from '../wire/target.js'
import { ClientExchange, type ExchangeAgent } from './client-exchange.js'
import { dialThrough } from './dial.js'
import type { Options } from './identity.js'
import type { NodeRequest } from './node-request.js'
import { type Route, type RouteOwner, Routes } from './routes.js'
import { Tap } from './tap.js'

/** What a pool gives its agents. */
export interface AgentGround {
  readonly core: PoolCore
  readonly tools: LinkTools
  /** What the pool knows of them: shared by all that open its connections. */
  readonly addresses: Addresses
  /** Whether requests can be moved from one socket to another on this Node. */
  readonly movable: boolean
}

/** node's agent, seen from here. */
export interface NodeAgent extends EventEmitter {
  readonly protocol: 'http:' | 'https:'
  readonly options: Options & { readonly timeout?: number }
  readonly keepAlive: boolean
  readonly keepAliveMsecs: number
  createConnection(options: object, callback: (error: Error | null, socket?: Socket) => void): Socket | null | undefined
  getName(options: object): string
  keepSocketAlive(socket: Socket): boolean
  reuseSocket(socket: Socket, request: ClientRequest): void
}

type Sockets = Record<string, Socket[]>
type Requests = Record<string, ClientRequest[]>

export class AgentFace implements ExchangeAgent, RouteOwner {
  readonly core: PoolCore
  readonly movable: boolean
  readonly #agent: NodeAgent
  readonly #tools: LinkTools
  readonly #addresses: Addresses
  readonly #routes: Routes
  /** node's own methods, to tell which of them somebody has overridden. */
  readonly #plain: NodeAgent
  /** Sockets that are no connections of the pool's yet, or no longer, and their names: being opened, being lost. */
  readonly #opening = new Map<Socket, string>()
  readonly #lost = new Map<Socket, string>()

  /** @param plain the prototype of the agent's class, as it comes from here */
  constructor(agent: NodeAgent, plain: NodeAgent, { core, tools, addresses, movable }: AgentGround) {
    this.core = core
    this.movable = movable
    this.#agent = agent
    this.#plain = plain
    this.#tools = tools
    this.#addresses = addresses
    this.#routes = new Routes(core, this)
  }

  // --- taking requests -----------------------------------------------------------------------------------------------

  addRequest(request: ClientRequest, options: Options): void {
    if (this.core.closing) {
      const error = new ClosedError(this.core.destroyed ? 'destroyed' : 'closed')
      ;(request as NodeRequest).onSocket(null, error)
      return
    }
    const servername = this.protocol === 'https:' ? this.#serverName(request, options) : ''
    new ClientExchange(this, this.#routes.of(options, servername), request, options).start()
  }

  /** The TLS server name (SNI), as node finds it: the option, else the Host header, else the host; never an address. */
  #serverName(request: ClientRequest, options: Options): string {
    const given = this.options.servername ?? options.servername
    if (typeof given === 'string') return given
    const header = request.getHeader('host')
    const name = withoutPort(typeof header === 'string' ? header : String(this.options.host ?? options.host))
    return isIP(name) === 0 ? name : ''
  }

  // --- to routes -----------------------------------------------------------------------------------------------------

  get protocol(): 'http:' | 'https:' {
    return this.#agent.protocol
  }

  get options(): NodeAgent['options'] {
    return this.#agent.options
  }

  getName(options: object): string {
    return this.#agent.getName(options)
  }

  get opensItself(): boolean {
    // Through a proxy, it speaks to somebody else.
    return this.#agent.createConnection !== this.#plain.createConnection || Boolean(this.options.proxyEnv)
  }

  get namesItself(): boolean {
    return this.#agent.getName !== this.#plain.getName
  }

  // --- to exchanges --------------------------------------------------------------------------------------------------

  get timeout(): number | undefined {
    return this.options.timeout
  }

  dialer({ route, options, clientRequest }: ClientExchange): Dialer {
    const agent = this.#agent
    const { core } = this
    const merged = this.#connectionOptions(route, options, clientRequest)
    // Somebody's own way to open connections gets what node gives it, and may have a lookup of its own.
    if (!this.opensItself) merged.lookup = this.#addresses.lookup((merged.lookup ?? undefined) as LookupFunction)
    return dialThrough({
      clock: core.clock,
      timeout: core.options.connect.timeout,
      address: String(merged.socketPath ?? `${merged.host}:${merged.port}`),
      create: (created) => agent.createConnection(merged, created),
      opening: (socket, isOpening) => {
        if (!isOpening) this.#opening.delete(socket)
        else {
          this.#opening.set(socket, route.name)
          this.#tapKeys(socket)
        }
      },
      linkTo: (socket) => new SocketLink(socket, this.#tools),
      addresses: this.#addresses,
    })
  }

  reuses({ clientRequest }: ClientExchange, socket: Socket): void {
    this.#agent.reuseSocket(socket, clientRequest)
  }

  loses({ route }: ClientExchange, socket: Socket): void {
    this.#lost.set(socket, route.name)
    socket.once('close', () => this.#lost.delete(socket))
  }

  frees({ route, options, clientRequest }: ClientExchange, socket: Socket): boolean {
    const agent = this.#agent
    const { origin } = route
    if (agent.listenerCount('free') > 0)
      agent.emit('free', socket, this.#connectionOptions(route, options, clientRequest))
    if (origin.fleeting) return false
    // node passes a connection on that it would not keep, where it must.
    if (!agent.keepAlive) return origin.waiting > 0 && !origin.hasRoom
    if (origin.waiting > 0) return true
    return agent.keepSocketAlive === this.#plain.keepSocketAlive || agent.keepSocketAlive(socket) !== false
  }

  /** As node hands them to `createConnection`. */
  #connectionOptions(
    { sessionKey }: Route,
    options: Options,
    request: ClientRequest & { timeout?: number },
  ): Record<string, unknown> {
    const { options: own, keepAlive, keepAliveMsecs } = this.#agent
    const merged: Record<string, unknown> = { ...options, ...own, encoding: null, _agentKey: sessionKey }
    merged.path = merged.socketPath ?? null
    merged.servername = this.#serverName(request, options)
    // Without its name a session is neither kept nor taken.
    if (sessionKey === undefined) delete merged._agentKey
    const timeout = request.timeout ?? own.timeout
    if (timeout) merged.timeout = timeout
    if (keepAlive) Object.assign(merged, { keepAlive, keepAliveInitialDelay: keepAliveMsecs })
    return merged
  }

  #tapKeys(socket: Socket): void {
    const agent = this.#agent
    if (agent.listenerCount('keylog') > 0) socket.on('keylog', (line) => agent.emit('keylog', line, socket))
  }

  // --- what node's agents show ---------------------------------------------------------------------------------------

  /** Sockets in use or being opened, by name. */
  get sockets(): Sockets {
    const sockets = this.#socketsOf(({ state }) => state === 'active')
    for (const others of [this.#opening, this.#lost]) for (const [socket, name] of others) add(sockets, name, socket)
    return sockets
  }

  /** Sockets that wait for a request, by name. */
  get freeSockets(): Sockets {
    return this.#socketsOf(({ state }) => state === 'idle' || state === 'settling' || state === 'suspect')
  }

  /** Requests for which no connection is free and none is being opened, by name. */
  get requests(): Requests {
    const requests: Requests = Object.create(null)
    for (const { name, origin } of this.#routes.all) {
      let served = origin.state.dialing
      for (const waiter of origin.inLine)
        if (served > 0) served--
        else if (waiter instanceof ClientExchange && waiter.agent === this) add(requests, name, waiter.clientRequest)
    }
    return requests
  }

  get totalSocketCount(): number {
    const origins = new Set(Array.from(this.#routes.all, ({ origin }) => origin))
    let count = this.#opening.size
    for (const { connections } of origins) count += connections.size
    return count
  }

  /** Closes every connection that this agent's requests use or may use, now; the requests fail. */
  destroy(): void {
    for (const socket of this.#opening.keys()) socket.destroy()
    for (const { origin } of this.#routes.all)
      for (const connection of origin.connections)
        if (connection.state !== 'active' || connection.engine instanceof Tap) origin.close(connection, 'pool-closed')
  }

  #socketsOf(isMeant: (connection: Connection) => boolean): Sockets {
    const sockets: Sockets = Object.create(null)
    // Several routes may lead to one origin: the first one gives its connections their name.
    const names = new Map<OriginPool, string>()
    for (const { name, origin } of this.#routes.all) if (!names.has(origin)) names.set(origin, name)
    for (const [origin, name] of names)
      for (const connection of origin.connections)
        if (isMeant(connection)) add(sockets, name, (connection.link as SocketLink).socket)
    return sockets
  }
}

function add<Item>(lists: Record<string, Item[]>, name: string, item: Item): void {
  lists[name] ??= []
  lists[name].push(item)
}
