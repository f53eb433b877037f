/** The plainest clients there are, to test the test servers with and to show what others do: sockets and node:http. */
import http from 'node:http'
import https from 'node:https'
import { connect, type Socket } from 'node:net'
import tls from 'node:tls'
import { testCertificates } from './tls.js'

/** A socket and everything that came out of it. */
export class RawClient {
  received = ''
  /** The server has sent its FIN. */
  ended = false
  closed = false
  error: NodeJS.ErrnoException | undefined

  private constructor(readonly socket: Socket) {
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => (this.received += text))
    socket.on('end', () => (this.ended = true))
    socket.on('close', () => (this.closed = true))
    socket.on('error', (error) => (this.error = error))
  }

  /** Connects with TLS where the origin is https. Half-open: the server's FIN is not answered. */
  static async open(origin: string): Promise<RawClient> {
    const { protocol, hostname, port } = new URL(origin)
    const where = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), allowHalfOpen: true }
    const secure = protocol === 'https:'
    const socket = secure ? tls.connect({ ...where, ca: testCertificates().ca }) : connect(where)
    await new Promise((resolve, reject) => {
      socket.once(secure ? 'secureConnect' : 'connect', resolve)
      socket.once('error', reject)
    })
    return new RawClient(socket)
  }

  send(text: string): void {
    this.socket.write(text, 'latin1')
  }

  get(path = '/'): void {
    this.send(`GET ${path} HTTP/1.1\r\nhost: test\r\nconnection: keep-alive\r\n\r\n`)
  }

  /** Waits until the client's state satisfies `holds`. */
  async until(holds: (client: this) => boolean, timeout = 5000): Promise<void> {
    const deadline = performance.now() + timeout
    while (!holds(this)) {
      if (performance.now() > deadline) {
        const state = { ended: this.ended, closed: this.closed, error: this.error?.code, received: this.received }
        throw new Error(`Not so after ${timeout} ms: ${holds}. The client is at ${JSON.stringify(state)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
}

export interface PlainResponse {
  status: number
  headers: http.IncomingHttpHeaders
  trailers: NodeJS.Dict<string>
  body: string
}

/** One request with node:http or node:https; through `agent`, else on a connection of its own. */
export function plainRequest(
  url: string,
  options: https.RequestOptions = {},
  body?: string | Buffer,
): Promise<PlainResponse> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? https.request : http.request
    const secure = url.startsWith('https:') ? { ca: testCertificates().ca } : {}
    const request = send(url, { agent: false, ...secure, ...options }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('error', reject)
      response.on('end', () => {
        const { statusCode, headers, trailers } = response
        resolve({ status: statusCode!, headers, trailers, body: text })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** An agent of node's own that keeps one connection alive. */
export function oneConnectionAgent(scheme: 'http' | 'https' = 'http'): http.Agent {
  const options = { keepAlive: true, maxSockets: 1, maxFreeSockets: 1 }
  return scheme === 'https' ? new https.Agent({ ...options, ca: testCertificates().ca }) : new http.Agent(options)
}
