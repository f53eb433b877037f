/**
 * The attributes of one server that a pool speaks to, in every combination that they are recorded in: each is made once, so
 * that a measurement makes no object, and there is an end to how many there are.
 */
import type { Attributes } from '../meter.js'
import type { CloseReason } from '../reasons.js'
import { OTHER } from './error-type.js'
import { type HistogramKey, attributeNames as names } from './instruments.js'

/** `server.address` of all those servers that have no name of their own in the numbers. */
export const OTHER_SERVERS = '_other'

/** How many ways requests to one server end that are told apart: by method, status and error. */
export const MOST_OUTCOMES = 200

/** What is spoken on every connection. */
const HTTP_VERSION = '1.1'

/** Where a response says that the request has failed, as a client sees it. */
const FIRST_ERROR_STATUS = 400

export class ServerAttributes {
  /** Of the server alone. */
  readonly plain: Attributes
  readonly active: Attributes
  readonly idle: Attributes
  readonly connection: Attributes
  readonly newConnection: Attributes
  readonly reusedConnection: Attributes
  readonly advertised: Attributes
  readonly learned: Attributes
  readonly #methods = new Map<string, MethodAttributes>()
  readonly #reasons = new Map<CloseReason, Attributes>()
  readonly #errors = new Map<string, Attributes>()
  #outcomes = 0

  /**
   * @param pool its name
   * @param origin `https://example.com:8443`; undefined for all servers that are not named
   */
  constructor(pool: string, origin: string | undefined) {
    this.plain = {
      [names.pool]: pool,
      ...(origin === undefined ? { [names.address]: OTHER_SERVERS } : serverOf(origin)),
    }
    this.connection = this.with({ [names.protocol]: HTTP_VERSION })
    this.active = { ...this.connection, [names.state]: 'active' }
    this.idle = { ...this.connection, [names.state]: 'idle' }
    this.newConnection = this.with({ [names.use]: 'new' })
    this.reusedConnection = this.with({ [names.use]: 'reused' })
    this.advertised = this.with({ [names.source]: 'advertised' })
    this.learned = this.with({ [names.source]: 'learned' })
  }

  closed(reason: CloseReason): Attributes {
    return kept(this.#reasons, reason, () => this.with({ [names.reason]: reason }))
  }

  /** Of something that failed with an error of that type, if with any. */
  failed(error: string | undefined): Attributes {
    return error === undefined ? this.plain : kept(this.#errors, error, () => this.with({ [names.error]: error }))
  }

  /** @param method one of the known ones, or `_OTHER` */
  method(method: string): MethodAttributes {
    return kept(
      this.#methods,
      method,
      () => new MethodAttributes(this, method, () => ++this.#outcomes <= MOST_OUTCOMES),
    )
  }

  get methods(): Iterable<MethodAttributes> {
    return this.#methods.values()
  }

  /** All that each histogram can have been recorded with. */
  get recorded(): Readonly<Record<HistogramKey, readonly Attributes[]>> {
    const dials = [this.plain, ...this.#errors.values()]
    const outcomes = [...this.#methods.values()].flatMap((method) => method.outcomes)
    return {
      // Those that had no room of their own were recorded like dials.
      requestDuration: [...dials, ...outcomes],
      dialDuration: dials,
      waitDuration: [this.plain],
      connectionDuration: [this.connection],
    }
  }

  with(more: Attributes): Attributes {
    return { ...this.plain, ...more }
  }
}

/** The attributes of requests to one server with one method. */
export class MethodAttributes {
  readonly plain: Attributes
  /** Requests with this method that were begun and have not ended. */
  active = 0
  readonly #byStatus = new Map<number, Attributes>()
  readonly #byFailure = new Map<string, Attributes>()

  /** @param hasRoom takes one more way to end, if there is room for it */
  constructor(
    private readonly server: ServerAttributes,
    method: string,
    private readonly hasRoom: () => boolean,
  ) {
    this.plain = server.with({ [names.method]: method })
  }

  /**
   * @param status of the response; undefined if there was none
   * @param error type of the error it failed with; undefined for none
   */
  outcome(status: number | undefined, error: string | undefined): Attributes {
    const known = error === undefined ? this.#byStatus.get(status ?? 0) : this.#byFailure.get(`${status} ${error}`)
    return known ?? this.#newOutcome(status, error)
  }

  get outcomes(): Attributes[] {
    return [...this.#byStatus.values(), ...this.#byFailure.values()]
  }

  #newOutcome(status: number | undefined, error: string | undefined): Attributes {
    if (!this.hasRoom())
      return this.server.failed(error === undefined && (status ?? 0) < FIRST_ERROR_STATUS ? undefined : OTHER)
    const type = error ?? ((status ?? 0) < FIRST_ERROR_STATUS ? undefined : String(status))
    const attributes = {
      ...this.plain,
      ...(status !== undefined && { [names.status]: status, [names.protocol]: HTTP_VERSION }),
      ...(type !== undefined && { [names.error]: type }),
    }
    if (error === undefined) this.#byStatus.set(status ?? 0, attributes)
    else this.#byFailure.set(`${status} ${error}`, attributes)
    return attributes
  }
}

/** Never throws: agents take whatever they are given for a host. */
function serverOf(origin: string): Attributes {
  const [, scheme, address, port] = /^(https?):\/\/(.*?)(?::(\d+))?$/.exec(origin) ?? [undefined, undefined, origin]
  return {
    [names.address]: address?.startsWith('[') ? address.slice(1, -1) : String(address),
    ...(scheme !== undefined && {
      [names.port]: Number(port ?? (scheme === 'https' ? 443 : 80)),
      [names.scheme]: scheme,
    }),
  }
}

function kept<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}
