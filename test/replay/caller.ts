/**
 * One request through node:http, and what its caller is told of it, in order: through a pool's agents, or through plain
 * ones of node to compare with.
 */
import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Failure } from './race-track.js'

export interface Agents {
  readonly httpAgent: http.Agent
  readonly httpsAgent: https.Agent
}

export interface CallOptions extends RequestOptions {
  /** Given to end() at once, if nothing else is done with the request. */
  readonly body?: string | Uint8Array | null
}

/** Events of a request that are noted by their name. */
const NOTED = ['prefinish', 'finish', 'drain', 'timeout', 'abort', 'continue', 'information'] as const

export class Call {
  readonly request: ClientRequest
  /** Events of the request and of its response, in order: `error` with its code, `response` with its status. */
  readonly told: string[] = []
  /** Those that the request was given. */
  readonly sockets: Socket[] = []
  /** Whether each had served before, as the caller was told. */
  readonly reused: boolean[] = []
  response: IncomingMessage | undefined
  body = ''
  error: Failure | undefined
  /** Resolves with the request's last event, 'close', and once its response has ended, if there is one. */
  readonly ended: Promise<void>

  /** @param begin writes the request; without it, it is ended at once */
  constructor(
    agents: Agents,
    origin: string,
    { body, ...options }: CallOptions = {},
    begin: (request: ClientRequest) => void = (request) => void request.end(body ?? undefined),
  ) {
    const isTls = origin.startsWith('https:')
    const agent = isTls ? agents.httpsAgent : agents.httpAgent
    const note = (event: string): void => void this.told.push(event)
    const request = (isTls ? https : http).request(origin, { agent, ...options })
    this.request = request
    for (const event of NOTED) request.on(event, () => note(event))
    request.on('socket', (socket: Socket) => {
      note('socket')
      this.sockets.push(socket)
      this.reused.push(request.reusedSocket)
    })
    request.on('error', (error: Failure) => {
      note(`error ${error.code}`)
      this.error = error
    })
    let responded: Promise<void> | undefined
    request.on('response', (response: IncomingMessage) => {
      note(`response ${response.statusCode}`)
      this.response = response
      responded = this.#read(response)
    })
    this.ended = new Promise<void>((resolve) => {
      request.on('close', () => {
        note('close')
        void (responded ?? Promise.resolve()).then(resolve)
      })
    })
    begin(request)
  }

  get statusCode(): number | undefined {
    return this.response?.statusCode
  }

  /** Those of its events that are of these kinds. */
  only(...kinds: string[]): string[] {
    return this.told.filter((event) => kinds.includes(event.split(' ')[0]!))
  }

  #read(response: IncomingMessage): Promise<void> {
    return new Promise((resolve) => {
      response.setEncoding('latin1')
      response.on('data', (chunk: string) => {
        this.body += chunk
      })
      response.on('end', () => void this.told.push('end'))
      response.on('error', (error: Failure) => void this.told.push(`response-error ${error.code}`))
      response.on('close', resolve)
    })
  }
}

export interface Answer {
  readonly statusCode: number
  readonly headers: Record<string, unknown>
  readonly body: string
}

/** One request, its response read to the end; its error, if it fails. */
export async function sendByHttp(agents: Agents, origin: string, options?: CallOptions): Promise<Answer> {
  return answerOf(new Call(agents, origin, options))
}

/** What a call came to. */
export async function answerOf(call: Call): Promise<Answer> {
  await call.ended
  const { error, response, body } = call
  if (error !== undefined) throw error
  return { statusCode: response!.statusCode!, headers: response!.headers, body }
}

/** node's own agents, for one test. */
export function plainAgents(options: http.AgentOptions = {}): Agents {
  const httpAgent = new http.Agent({ keepAlive: true, ...options })
  const httpsAgent = new https.Agent({ keepAlive: true, rejectUnauthorized: false, ...options })
  onTestFinished(() => {
    httpAgent.destroy()
    httpsAgent.destroy()
  })
  return { httpAgent, httpsAgent }
}
