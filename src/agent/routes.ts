/**
 * From the options of a request to the connections that may carry it. A request that has nothing special goes over the
 * same ones as those of the pool's other faces.
 */
import { isIP } from 'node:net'
import type { OriginPool } from '../pool/origin-pool.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { Target } from '../wire/link.js'
import { keyOf, serverNameOf } from '../wire/target.js'
import { commonOf, type Differences, differencesOf, identityOf, isFleeting, labelOf, type Options } from './identity.js'

export interface Route {
  /** As the agent's `getName` gives it. */
  readonly name: string
  /** Under which TLS sessions are kept: only where identities are checked alike, for a resumed session is not checked. */
  readonly sessionKey: string | undefined
  /** Another one may have taken its place since: see `PoolCore.current`. */
  origin: OriginPool
}

/** What of an agent decides about routes. */
export interface RouteOwner {
  readonly protocol: 'http:' | 'https:'
  readonly options: Options
  getName(options: object): string
  /** Whether methods are overridden that make its connections unlike others. */
  readonly opensItself: boolean
  readonly namesItself: boolean
}

/** Routes that are remembered, so that a known one costs a look-up. */
const MOST_ROUTES = 4000

let lastOwner = 0

export class Routes {
  readonly #core: PoolCore
  readonly #owner: RouteOwner
  readonly #isTls: boolean
  readonly #routes = new Map<string, Route>()
  readonly #number = ++lastOwner
  /** The agent's own options, as they were when it was made: they hold for all of its pool. */
  readonly #common: Differences

  constructor(core: PoolCore, owner: RouteOwner) {
    this.#core = core
    this.#owner = owner
    this.#isTls = owner.protocol === 'https:'
    this.#common = commonOf(owner.options)
  }

  get all(): IterableIterator<Route> {
    return this.#routes.values()
  }

  /** @param servername of a request to a TLS server; empty for none */
  of(options: Options, servername: string): Route {
    const { options: own } = this.#owner
    const host = own.host ?? options.host
    const port = own.port ?? options.port
    const differences = differencesOf(this.#isTls, options, own, this.#common)
    const place = this.#isTls ? `${host}:${port}:${servername}` : `${host}:${port}`
    const mine = this.#mark(options)
    const id =
      differences === undefined && mine === '' ? place : `${place} ${mine}\n${identityOf(differences ?? new Map())}`
    const known = this.#routes.get(id)
    if (known !== undefined) {
      known.origin.fleeting = false
      return known
    }
    const target = targetOf(this.#owner.protocol, host, port, servername)
    const special = [differences === undefined ? '' : labelOf(differences), mine].filter((each) => each !== '')
    const key = special.length === 0 ? keyOf(target) : `${keyOf(target)} (${special.join(', ')})`
    const name = this.#owner.getName({ ...options, ...own, servername })
    const fleeting = differences !== undefined && isFleeting(differences)
    const route: Route = {
      name,
      sessionKey: fleeting ? undefined : [name, ...special].join(' '),
      origin: this.#core.origin(key, () => target),
    }
    // Only one request has brought what tells it apart, and the next may not bring it again.
    route.origin.fleeting = fleeting
    if (this.#routes.size >= MOST_ROUTES) this.#routes.clear()
    this.#routes.set(id, route)
    return route
  }

  /** What keeps the connections of an agent with methods of its own apart from those of others. */
  #mark(options: Options): string {
    const { opensItself, namesItself } = this.#owner
    if (!opensItself && !namesItself) return ''
    const name = namesItself ? ` ${this.#owner.getName({ ...options, ...this.#owner.options })}` : ''
    return `agent ${this.#number}${name}`
  }
}

function targetOf(protocol: 'http:' | 'https:', host: unknown, port: unknown, servername: string): Target {
  const given = String(host ?? 'localhost')
  const bare = given.startsWith('[') ? given.slice(1, -1) : given
  const hostname = isIP(bare) === 6 ? `[${bare}]` : bare.toLowerCase()
  const number = String(port ?? '')
  const shown = number === (protocol === 'http:' ? '80' : '443') ? '' : number
  const origin = `${protocol}//${hostname}${shown === '' ? '' : `:${shown}`}`
  return { origin, protocol, hostname, port: shown, servername: servername === '' ? null : serverNameOf(servername) }
}
