/**
 * What the tests of the agents share: the same scene over node's own agents and over those of keepwise, in all the ways
 * in which one gets them.
 */
import http, { type ClientRequest } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { describe, onTestFinished } from 'vitest'
import { createPool, HttpAgent, HttpsAgent, type Pool, type PoolOptions } from '../../src/index.js'
import { until } from '../dispatcher/support.js'
import { type Agents, Call, type CallOptions as PlainCallOptions } from '../replay/caller.js'
import { testCertificates } from '../support/tls.js'

export { Call } from '../replay/caller.js'

export type CallOptions = PlainCallOptions & https.RequestOptions

/** What node's types do not show of an agent. */
export const optionsOf = (agent: http.Agent): Record<string, unknown> =>
  (agent as unknown as { options: Record<string, unknown> }).options

/** Limits, by node's names. */
export interface Limits {
  /** Whether they trust the certificates of the tests. @default true */
  readonly trusting?: boolean
  readonly maxSockets?: number
  readonly maxTotalSockets?: number
  readonly maxFreeSockets?: number
  readonly scheduling?: 'lifo' | 'fifo'
}

/** One way to get a pair of agents that keep connections, and trust the certificates of the tests. */
export interface Kind {
  readonly name: string
  readonly ours: boolean
  /** They are destroyed when the test is over. */
  make(limits?: Limits): Agents
}

/** node's own, to compare with. */
export const nodeKind: Kind = {
  name: "node's own agents",
  ours: false,
  make: ({ trusting, ...limits } = {}) =>
    untilFinished({
      httpAgent: new http.Agent({ keepAlive: true, ...limits }),
      httpsAgent: new https.Agent({ keepAlive: true, ...trust(trusting), ...limits }),
    }),
}

export const dropInKind: Kind = {
  name: 'HttpAgent and HttpsAgent',
  ours: true,
  make: ({ trusting, ...limits } = {}) =>
    untilFinished({
      httpAgent: dropIn({ keepAlive: true, ...limits }),
      httpsAgent: secureDropIn({ keepAlive: true, ...trust(trusting), ...limits }),
    }),
}

export const poolKind: Kind = {
  name: "a pool's agents",
  ours: true,
  make: ({ trusting, ...limits } = {}) => agentPool({ ...byOurNames(limits), connect: trust(trusting) }),
}

export const ourKinds = [dropInKind, poolKind] as const

/** The same cases for each kind of agents: what they find is node's behaviour, and ours. */
export function describeKinds(name: string, kinds: readonly Kind[], cases: (kind: Kind) => void): void {
  for (const kind of kinds) describe(`${name}, with ${kind.name}`, () => cases(kind))
}

/** For `describeKinds`. */
export const allKinds = [nodeKind, ...ourKinds] as const

/** A drop-in agent whose pool ends with the test. */
export function dropIn(options?: ConstructorParameters<typeof HttpAgent>[0]): HttpAgent {
  const agent = new HttpAgent(options)
  onTestFinished(() => agent.pool.destroy())
  return agent
}

export function secureDropIn(options?: ConstructorParameters<typeof HttpsAgent>[0]): HttpsAgent {
  const agent = new HttpsAgent(options)
  onTestFinished(() => agent.pool.destroy())
  return agent
}

/** A pool that trusts the certificates of the tests, and ends with the test. */
export function trustingPool(options: PoolOptions = {}): Pool {
  return agentPool({ ...options, connect: { ...trust(), ...options.connect } })
}

function agentPool(options: PoolOptions): Pool {
  const pool = createPool(options)
  onTestFinished(() => pool.destroy())
  return pool
}

const trust = (trusting = true): { ca?: string } => (trusting ? { ca: testCertificates().ca } : {})

function byOurNames({ maxSockets, maxTotalSockets, maxFreeSockets, scheduling }: Limits = {}): PoolOptions {
  return {
    ...(maxSockets !== undefined && { maxConnections: maxSockets }),
    ...(maxTotalSockets !== undefined && { maxTotalConnections: maxTotalSockets }),
    ...(maxFreeSockets !== undefined && { maxIdleConnections: maxFreeSockets }),
    ...(scheduling !== undefined && { scheduling }),
  }
}

function untilFinished(agents: Agents): Agents {
  onTestFinished(() => {
    for (const agent of [agents.httpAgent, agents.httpsAgent])
      if ('pool' in agent) (agent.pool as Pool).destroy()
      else agent.destroy()
  })
  return agents
}

/** One request, its response read to the end and its connection given back; throws what it failed with. */
export async function complete(agents: Agents, origin: string, options?: CallOptions): Promise<Call> {
  const call = new Call(agents, origin, options)
  await call.ended
  if (call.error !== undefined) throw call.error
  return call
}

/** The same, over one agent that both names mean. */
export const completeOver = (agent: http.Agent, origin: string, options?: CallOptions): Promise<Call> =>
  complete(both(agent), origin, options)

export const both = (agent: http.Agent): Agents => ({ httpAgent: agent, httpsAgent: agent as https.Agent })

type Maps = 'sockets' | 'freeSockets' | 'requests'

/** How many an agent shows, whatever their names. */
export function shown(agent: http.Agent, map: Maps): number {
  return Object.values(agent[map]).reduce((sum, list) => sum + (list?.length ?? 0), 0)
}

/** Waits until an agent has sockets that are free, and none in use. */
export async function untilFree(agent: http.Agent, count = 1): Promise<void> {
  await until(() => shown(agent, 'freeSockets') === count && shown(agent, 'sockets') === 0)
}

/** All sockets that are free. */
export const freeSocketsOf = (agent: http.Agent): Socket[] =>
  Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? []) as Socket[]

/** Waits for the socket of a request. */
export const socketOf = (request: ClientRequest): Promise<Socket> =>
  new Promise((resolve) => (request.socket ? resolve(request.socket) : request.once('socket', resolve)))
