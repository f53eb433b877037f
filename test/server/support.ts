/** Servers whose keep-alive is kept, for tests; from `src`, on a clock of the test's own if it likes. */
import { systemClock } from '../../src/clock.js'
import { loadNative } from '../../src/liveness/native.js'
import { announcerOfThisNode } from '../../src/server/announce.js'
import { type KeptServer, keep, type ServerTools } from '../../src/server/kept-server.js'
import type { KeepAliveOptions } from '../../src/server/options.js'
import { RawClient } from '../support/raw-client.js'
import { type RunningServer, type ServerOptions, startServer } from '../support/servers/node.js'

export interface Kept extends RunningServer {
  readonly keeper: KeptServer
  /** Opens a connection that is closed at the end of the test. */
  connect(): Promise<RawClient>
}

export interface KeptOptions extends ServerOptions {
  keep?: KeepAliveOptions
  tools?: Partial<ServerTools>
}

/** Runs `body` with a server that is kept. */
export async function withKept<T>(options: KeptOptions, body: (kept: Kept) => T | Promise<T>): Promise<T> {
  const { keep: keepOptions, tools, ...serverOptions } = options
  const running = await startServer(serverOptions)
  const clients: RawClient[] = []
  try {
    const keeper = keep(running.server, keepOptions, { ...systemTools(), ...tools })
    const connect = async () => {
      const client = await RawClient.open(running.origin)
      clients.push(client)
      return client
    }
    return await body(Object.assign(running, { keeper, connect }))
  } finally {
    for (const { socket } of clients) socket.destroy()
    await running.close()
  }
}

export const systemTools = (): ServerTools => ({
  clock: systemClock,
  native: loadNative().native,
  announcer: announcerOfThisNode(),
})

/** A response as it came over the wire. */
export interface RawResponse {
  readonly status: number
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What a client was sent, in order; bodies by their length or chunks. */
export function responsesOf({ received }: RawClient, heads: readonly number[] = []): RawResponse[] {
  const responses: RawResponse[] = []
  for (let rest = received; rest !== ''; ) {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) throw new Error(`half a head: ${rest}`)
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    )
    const status = Number(statusLine.split(' ')[1])
    rest = rest.slice(end + 4)
    const isBodiless = status < 200 || status === 204 || status === 304 || heads.includes(responses.length)
    let body = ''
    if (isBodiless) body = ''
    else if (headers['transfer-encoding'] === 'chunked') {
      for (let size = Number.NaN; size !== 0; ) {
        const line = rest.indexOf('\r\n')
        size = Number.parseInt(rest.slice(0, line), 16)
        body += rest.slice(line + 2, line + 2 + size)
        rest = rest.slice(line + 4 + size)
      }
    } else {
      const length = headers['content-length'] === undefined ? rest.length : Number(headers['content-length'])
      body = rest.slice(0, length)
      rest = rest.slice(length)
    }
    responses.push({ status, headers, body })
  }
  return responses
}

/** `keep-alive timeout=5, max=2`, `close`: what a response says of its connection. */
export const hintOf = ({ headers }: RawResponse): string =>
  [headers.connection, headers['keep-alive']].filter((value) => value !== undefined).join(' ')

/** Sends one request and waits for its response, which is complete when `ends` is found behind it. */
export async function exchange(client: RawClient, request: string, ends = 'ok'): Promise<void> {
  const before = client.received.length
  client.send(request)
  await client.until(({ received }) => received.slice(before).endsWith(ends))
}

export const get = (path = '/', ...headers: string[]): string =>
  [`GET ${path} HTTP/1.1`, 'host: test', ...headers, '', ''].join('\r\n')
