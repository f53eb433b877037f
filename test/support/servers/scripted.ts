/**
 * A server that does byte for byte what a test tells it to: for what real servers do not do on demand. Each connection
 * runs a script, a list of steps (script-steps.ts) carried out one after the other:
 *
 *   withScripted([request(), respond({ headers: { 'keep-alive': 'timeout=5' } }), wait(50), halfClose()], ...)
 *
 * Nothing happens that the script does not say: a script's end leaves its connection open, and the server does not
 * answer a FIN of the client before the script has ended.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { TLSSocket, type TlsOptions } from 'node:tls'
import { testCertificates } from '../tls.js'
import { ConnectionGone, ScriptedConnection } from './scripted-connection.js'

/** One thing that a connection of the server does. Any function may be one. */
export type Step = (connection: ScriptedConnection) => void | Promise<void>
export type Script = readonly Step[]

export interface ScriptedOptions {
  /** Speak TLS, with the localhost certificate or the one given. @default false */
  tls?: boolean | TlsOptions
  /** @default '127.0.0.1' */
  host?: string
}

/** What happened, in order, on all connections. Times as from `performance.now()`. */
export interface ScriptedEvent {
  at: number
  /** 1 for the first connection. */
  connection: number
  what: 'open' | 'received' | 'sent' | 'client-end' | 'server-end' | 'reset' | 'error' | 'close'
  /** The bytes received or sent, as latin1; what went wrong, for 'error'. */
  data?: string
}

export interface ScriptedServer extends AsyncDisposable {
  origin: string
  port: number
  connections: ScriptedConnection[]
  log: ScriptedEvent[]
  /** Steps that failed, and connections that no script was meant for. `withScripted` throws the first of them. */
  failures: Error[]
  /** The n-th connection (1 = the first), once it is there. */
  connection(nth: number, timeout?: number): Promise<ScriptedConnection>
  close(): Promise<void>
}

/** One script for every connection, or a function of the connection's number (1 = the first); see `inOrder`. */
export type Scripts = Script | ((nth: number) => Script)

/** One script for each connection, in order. A connection more than that is a failure. */
export function inOrder(...scripts: Script[]): (nth: number) => Script {
  return (nth) => {
    const script = scripts[nth - 1]
    if (!script) throw new Error(`Connection ${nth} was opened, there are scripts for ${scripts.length}`)
    return script
  }
}

/** Runs `body` with a server; afterwards closes it and throws what its scripts found wrong. */
export async function withScripted<T>(
  scripts: Scripts,
  body: (server: ScriptedServer) => T | Promise<T>,
  options?: ScriptedOptions,
): Promise<T> {
  const server = await startScripted(scripts, options)
  let result: T
  try {
    result = await body(server)
  } catch (error) {
    // What the scripts found wrong is most often why the body failed.
    if (server.failures.length > 0) throw new AggregateError([error, ...server.failures], messages(server, error))
    throw error
  } finally {
    await server.close()
  }
  if (server.failures.length > 0) throw server.failures[0]
  return result
}

export async function startScripted(scripts: Scripts, options: ScriptedOptions = {}): Promise<ScriptedServer> {
  const { tls = false, host = '127.0.0.1' } = options
  const connections: ScriptedConnection[] = []
  const log: ScriptedEvent[] = []
  const failures: Error[] = []
  const raws = new Set<Socket>()
  const scriptFor = typeof scripts === 'function' ? scripts : () => scripts

  const server = createServer({ allowHalfOpen: true }, (raw) => {
    raws.add(raw)
    raw.once('close', () => raws.delete(raw))
    if (!tls) return accept(raw, raw)
    const socket = new TLSSocket(raw, {
      isServer: true,
      allowHalfOpen: true,
      ...testCertificates().localhost,
      ...(typeof tls === 'object' && tls),
    })
    // A client that refuses the certificate is the client's affair: its connection just never speaks.
    raw.on('error', () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.once('secure', () => accept(socket, raw))
  })

  function accept(socket: Socket, raw: Socket): void {
    const nth = connections.length + 1
    const connection = new ScriptedConnection(nth, socket, raw, (what, data) => {
      log.push({ at: performance.now(), connection: nth, what, ...(data !== undefined && { data }) })
    })
    connections.push(connection)
    server.emit('scripted')
    run(connection).catch((error: Error) => {
      // The client went away before the script was through: nothing wrong in itself, the log has it.
      if (error instanceof ConnectionGone) return
      failures.push(error)
      connection.socket.destroy()
    })
  }

  async function run(connection: ScriptedConnection): Promise<void> {
    for (const step of scriptFor(connection.nth)) await step(connection)
    connection.finishScript()
  }

  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  async function close(): Promise<void> {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const raw of raws) raw.destroy()
    await closed
  }

  return {
    origin: `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    connections,
    log,
    failures,
    async connection(nth, timeout = 5000) {
      const signal = AbortSignal.timeout(timeout)
      while (connections.length < nth) await once(server, 'scripted', { signal })
      return connections[nth - 1]!
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function messages(server: ScriptedServer, error: unknown): string {
  return [error, ...server.failures].map((one) => (one instanceof Error ? one.message : String(one))).join('; ')
}
