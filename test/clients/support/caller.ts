/** What the tests want of an HTTP client, whatever its own interface looks like. Each file of `callers/` makes one. */
import type http from 'node:http'
import type https from 'node:https'
import type { Readable } from 'node:stream'

export interface Agents {
  readonly httpAgent: http.Agent
  readonly httpsAgent: https.Agent
}

export interface Answer {
  status: number
  body: string
}

export interface CallOptions {
  /** Given to the client in its own way. */
  signal?: AbortSignal | undefined
  /** The client's own limit for the response to begin, in milliseconds. */
  timeout?: number | undefined
}

/** One client, set up for one origin. Retries of its own are switched off. */
export interface Caller {
  /** The response, read to the end. */
  get(path: string, options?: CallOptions): Promise<Answer>
  post(path: string, body: string, options?: CallOptions): Promise<Answer>
  /** The response's body as it arrives. */
  download(path: string, options?: CallOptions): Promise<Readable>
  /** PUTs a stream of so many bytes. */
  upload(path: string, body: Readable, size: number, options?: CallOptions): Promise<Answer>
}

/** @param agents what the client is to use; without them, whatever it uses by itself */
export type MakeCaller = (origin: string, agents?: Agents) => Caller

/** A client under test: how to make one, and what its users get to see. */
export interface Client {
  readonly make: MakeCaller
  /** Fields of the errors that its users match on. */
  readonly errors: {
    /** Before the response began. */
    readonly aborted: object
    /** Before the request began, where that is told otherwise. */
    readonly abortedBefore?: object
    /** While the body was being read. */
    readonly abortedBody: object
    readonly timedOut: object
    /** For an error of the network: the client's own may wrap it. */
    network(code: string): object
  }
  /** Whether its errors have what keepwise knows among their causes. */
  readonly keepsCauses: boolean
  /** Whether it unpacks compressed responses. */
  readonly unpacks: boolean
  /** Whether it uses the global agents when it is given none. */
  readonly usesGlobalAgents: boolean
}
