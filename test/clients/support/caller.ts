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
